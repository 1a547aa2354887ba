"""USER (MESSAGE-ID FLAG)...: sets the flags, then expunges what is \\Deleted."""
import sys

import house

user, *pairs = sys.argv[1:]
client = house.imap(user)
house.good(client.select("INBOX"))
for name, flag in zip(pairs[::2], pairs[1::2]):
    found = house.good(client.uid("SEARCH", "HEADER", "Message-ID", f'"{name}"'))[0].split()
    house.check(len(found) == 1, name, found)
    house.good(client.uid("STORE", found[0].decode(), "+FLAGS", f"({flag})"))
house.good(client.expunge())
client.logout()
