"""USER MAILBOX FOLDER: every message as FOLDER/UID; prints UIDVALIDITY and UIDNEXT, then UID and flags a line."""
import re
import sys

import house

user, mailbox, folder = sys.argv[1:]
client = house.imap(user)
status = house.good(client.status(mailbox, "(UIDVALIDITY UIDNEXT)"))[0].decode()
validity = re.search(r"UIDVALIDITY (\d+)", status)[1]
upcoming = re.search(r"UIDNEXT (\d+)", status)[1]
print(validity, upcoming)
count = int(house.good(client.select(mailbox, readonly=True))[0])
fetched = house.good(client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")) if count else []
seen = 0
for place, item in enumerate(fetched):
    if not isinstance(item, tuple):
        continue
    head, text = item
    after = fetched[place + 1] if place + 1 < len(fetched) else b""
    # RFC 9051 §7.5.2 leaves the order of the items to the server.
    about = head + (b" " + after if isinstance(after, bytes) else b"")
    uid = re.search(rb"UID (\d+)", about)[1].decode()
    flags = re.search(rb"FLAGS \(([^)]*)\)", about)[1].decode()
    with open(f"{folder}/{uid}", "wb") as out:
        out.write(text)
    print(uid, flags)
    seen += 1
house.check(seen == count, f"EXISTS says {count}, FETCH gave {seen}")
client.logout()
