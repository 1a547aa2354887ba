"""USER FOLDER: reads every message whole at 993, and again in pieces at 143; both must be the same."""
import re
import sys

import house

user, folder = sys.argv[1:]
PIECE = 10_000


def literal(client, number, item):
    found = [part[1] for part in house.good(client.fetch(number, f"(BODY.PEEK{item})")) if isinstance(part, tuple)]
    house.check(len(found) == 1, number, item, found)
    return found[0]


whole = house.imap(user)
pieces = house.imap(user, 143)
count = int(house.good(whole.select("INBOX"))[0])
house.check(int(house.good(pieces.select("INBOX", readonly=True))[0]) == count)
for n in range(1, count + 1):
    number = str(n)
    text = literal(whole, number, "[]")
    size = int(re.search(rb"RFC822.SIZE (\d+)", house.good(whole.fetch(number, "RFC822.SIZE"))[0])[1])
    house.check(size == len(text), f"RFC822.SIZE says {size}, there are {len(text)}")
    together = b"".join(literal(pieces, number, f"[]<{at}.{PIECE}>") for at in range(0, size, PIECE))
    house.check(together == text, f"message {n} in pieces differs")
    halves = literal(pieces, number, "[HEADER]") + literal(pieces, number, "[TEXT]")
    house.check(halves == text, f"HEADER and TEXT of message {n} differ from the whole")
    with open(f"{folder}/{n}", "wb") as out:
        out.write(text)
whole.logout()
pieces.logout()
