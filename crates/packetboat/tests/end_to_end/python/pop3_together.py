"""POP3 beside IMAP: one session a maildrop, deletions at QUIT alone, names that stay."""
import poplib

import house

TEXT = b"From: sender@elsewhere.test\r\nTo: alice@example.test\r\nSubject: %d\r\n\r\ntext\r\n"
sender = house.smtp(25)
for n in range(3):
    sender.sendmail("sender@elsewhere.test", [house.ALICE], TEXT % n)

pop = house.pop3(house.ALICE)
before = pop.uidl()[1]
house.check(len(before) == 3, before)
# RFC 2449 §8.1.1: the other session is told why.
try:
    house.pop3(house.ALICE, 110)
    raise AssertionError("two sessions on one maildrop")
except poplib.error_proto as error:
    house.check("[IN-USE]" in str(error), error)
# What comes meanwhile is not in this session. RFC 1939 §4 and §5.
sender.sendmail("sender@elsewhere.test", [house.ALICE], TEXT % 3)
house.check(pop.stat()[0] == 3, pop.stat())
pop.dele(2)
pop.rset()
house.check(pop.stat()[0] == 3, pop.stat())
pop.dele(2)

reader = house.imap(house.ALICE)
house.check(house.good(reader.select("INBOX"))[0] == b"4")
# Closed without QUIT: nothing is deleted. RFC 1939 §6.
pop.close()
house.check(house.good(reader.status("INBOX", "(MESSAGES)"))[0].endswith(b" 4)"))


def again():
    """The lock goes with the session; the server may notice the end of one a moment after we made it."""
    for _ in range(100):
        try:
            return house.pop3(house.ALICE)
        except poplib.error_proto as error:
            house.check("[IN-USE]" in str(error), error)
    raise AssertionError("the maildrop stays locked")


pop = again()
house.check(pop.uidl()[1][:3] == before, pop.uidl()[1], before)
pop.dele(2)
pop.quit()
reader.untagged_responses.clear()
house.good(reader.noop())
house.check(reader.untagged_responses.get("EXPUNGE") == [b"2"], reader.untagged_responses)
pop = house.pop3(house.ALICE)
names = [line.split()[1] for line in pop.uidl()[1]]
house.check(names[:2] == [before[0].split()[1], before[2].split()[1]], names, before)
pop.quit()
reader.logout()
