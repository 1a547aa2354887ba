"""One client waits in IDLE and is told of a delivery, a flag, an expunge; prints how long each took."""
import time

import house

TEXT = b"From: sender@elsewhere.test\r\nTo: alice@example.test\r\n\r\ntext\r\n"

waiting, other, sender = house.imap(house.ALICE), house.imap(house.ALICE), house.smtp(25)
house.good(waiting.select("INBOX"))
house.good(other.select("INBOX"))
waiting.send(b"I IDLE\r\n")
house.check(waiting.readline().startswith(b"+"), "no continuation")


def told(what, wanted):
    begun = time.monotonic()
    while not wanted(line := waiting.readline()):
        house.check(line.startswith(b"* "), line)
    print(f"IDLE rang for {what} after {(time.monotonic() - begun) * 1000:.1f} ms")


for n in range(1, 6):
    sender.sendmail("sender@elsewhere.test", [house.ALICE], TEXT)
    told("a delivery", lambda line: line == b"* %d EXISTS\r\n" % n)
house.good(other.noop())
house.good(other.store("3", "+FLAGS", r"(\Flagged \Deleted)"))
told("a flag", lambda line: line.startswith(b"* 3 FETCH (") and b"\\Flagged" in line)
house.good(other.expunge())
told("an expunge", lambda line: line == b"* 3 EXPUNGE\r\n")
house.good(other.append("INBOX", None, None, TEXT))
told("an append", lambda line: line == b"* 5 EXISTS\r\n")
waiting.send(b"DONE\r\n")
while not (line := waiting.readline()).startswith(b"I "):
    house.check(line.startswith(b"* "), line)
house.check(line.startswith(b"I OK"), line)
sender.quit()
other.logout()
waiting.logout()
