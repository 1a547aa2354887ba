"""PORT USER FOLDER: every message of the maildrop; UIDL, LIST, STAT and TOP must agree with it."""
import sys

import house

port, user, folder = sys.argv[1:]
client = house.pop3(user, int(port))
count, octets = client.stat()
sizes = dict(map(int, line.split()) for line in client.list()[1])
names = dict(line.decode().split() for line in client.uidl()[1])
house.check(len(sizes) == len(names) == count, count, sizes, names)
house.check(len(set(names.values())) == count, names)
house.check(sum(sizes.values()) == octets, sizes, octets)
for n in range(1, count + 1):
    text = b"".join(line + b"\r\n" for line in client.retr(n)[1])
    house.check(len(text) == sizes[n], f"LIST says {sizes[n]}, there are {len(text)}")
    top = b"".join(line + b"\r\n" for line in client.top(n, 2)[1])
    header, body = text.split(b"\r\n\r\n", 1)
    wanted = header + b"\r\n\r\n" + b"".join(body.splitlines(keepends=True)[:2])
    house.check(top == wanted, f"TOP {n} 2", top, wanted)
    with open(f"{folder}/{n}", "wb") as out:
        out.write(text)
client.quit()
