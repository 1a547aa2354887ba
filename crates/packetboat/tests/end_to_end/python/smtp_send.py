"""PORT USER RECIPIENT FILE...: each file is sent as it is; with a user he is logged in and the sender."""
import sys

import house

port, user, recipient, *files = sys.argv[1:]
mechanism = None
if ":" in port:
    port, mechanism = port.split(":")
client = house.smtp(int(port), user, mechanism)
sender = user or "sender@elsewhere.test"
for name in files:
    with open(name, "rb") as file:
        text = file.read()
    options = [] if text.isascii() else ["BODY=8BITMIME"]
    refused = client.sendmail(sender, [recipient], text, options)
    house.check(not refused, name, refused)
client.quit()
