"""USER: the Message-ID of each message in INBOX, a line each; every body must be as long as its size says."""
import re
import sys

import house

client = house.imap(sys.argv[1])
count = int(house.good(client.select("INBOX", readonly=True))[0])
whole = {}
for item in house.good(client.fetch("1:*", "(RFC822.SIZE BODY.PEEK[])")) if count else []:
    if isinstance(item, tuple):
        head, text = item
        size = re.search(rb"RFC822.SIZE (\d+)", head)
        house.check(size is None or int(size[1]) == len(text), head)
        name = re.search(rb"^Message-ID: (.*)\r$", text, re.MULTILINE)
        house.check(name, text[:500])
        print(name[1].decode())
client.logout()
