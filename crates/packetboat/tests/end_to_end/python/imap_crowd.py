"""COUNT: so many sessions each of alice and bob wait in IDLE; a message to both reaches all of them."""
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import house

TEXT = b"From: sender@elsewhere.test\r\nTo: both\r\n\r\ntext\r\n"


def idle(user):
    client = house.imap(user)
    house.good(client.select("INBOX"))
    client.send(b"I IDLE\r\n")
    house.check(client.readline().startswith(b"+"), "no continuation")
    return client


users = [house.ALICE, house.BOB] * int(sys.argv[1])
with ThreadPoolExecutor(8) as pool:
    clients = list(pool.map(idle, users))
sender = house.smtp(25)
for n in range(1, 4):
    begun = time.monotonic()
    sender.sendmail("sender@elsewhere.test", [house.ALICE, house.BOB], TEXT)
    for client in clients:
        while (line := client.readline()) != b"* %d EXISTS\r\n" % n:
            house.check(line.startswith(b"* "), line)
    print(f"{len(clients)} sessions in IDLE were told after {(time.monotonic() - begun) * 1000:.0f} ms")
for client in clients:
    client.send(b"DONE\r\n")
for client in clients:
    while not (line := client.readline()).startswith(b"I "):
        house.check(line.startswith(b"* "), line)
    house.check(line.startswith(b"I OK"), line)
    client.logout()
sender.quit()
