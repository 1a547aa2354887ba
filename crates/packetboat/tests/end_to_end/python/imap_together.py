"""Two clients have alice's INBOX open; each sees at its next command what the other did."""
import house

TEXT = b"From: sender@elsewhere.test\r\nTo: alice@example.test\r\nSubject: %d\r\n\r\ntext\r\n"

one, two = house.imap(house.ALICE), house.imap(house.ALICE, 143)
for client in (one, two):
    house.good(client.select("INBOX"))


def news(client, kind):
    """What a NOOP brings of this kind. RFC 9051 §6.1.2."""
    client.untagged_responses.clear()
    house.good(client.noop())
    return [data for data in client.untagged_responses.get(kind, []) if data is not None]


# New mail.
sender = house.smtp(25)
for n in range(4):
    sender.sendmail("sender@elsewhere.test", [house.ALICE], TEXT % n)
sender.quit()
for client in (one, two):
    exists = news(client, "EXISTS")
    house.check(exists and exists[-1] == b"4", exists)
    house.check(news(client, "EXISTS") == [], "the same news twice")

# Flags and keywords, told to the other and not to the one who asked for silence.
house.good(one.store("2", "+FLAGS.SILENT", r"(\Flagged $Label1)"))
told = news(two, "FETCH")
house.check(len(told) == 1 and told[0].startswith(b"2 ("), told)
house.check(b"\\Flagged" in told[0] and b"$Label1" in told[0], told)
house.check(news(one, "FETCH") == [], "told of its own silent change")
house.good(two.store("2", "-FLAGS", r"(\Flagged)"))
told = news(one, "FETCH")
house.check(len(told) == 1 and b"\\Flagged" not in told[0] and b"$Label1" in told[0], told)

# Expunge: the numbers after it move up for both.
house.good(one.store("1,3", "+FLAGS", r"(\Deleted)"))
house.good(one.expunge())
gone = news(two, "EXPUNGE")
house.check(sorted(map(int, gone)) in ([1, 2], [1, 3]), gone)
subjects = []
for client in (one, two):
    data = house.good(client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
    subjects.append([part[1] for part in data if isinstance(part, tuple)])
house.check(subjects[0] == subjects[1] == [b"Subject: 1\r\n\r\n", b"Subject: 3\r\n\r\n"], subjects)

# A number is never reused for another message while the client was not told: no EXPUNGE during FETCH, STORE,
# SEARCH. RFC 9051 §7.5.1.
house.good(one.store("1", "+FLAGS", r"(\Deleted)"))
house.good(one.expunge())
two.untagged_responses.clear()
two.fetch("2", "(FLAGS)")
house.check("EXPUNGE" not in two.untagged_responses, two.untagged_responses)
house.check(news(two, "EXPUNGE") == [b"1"])

# APPEND, COPY and MOVE.
house.good(one.append("INBOX", r"(\Seen)", '"26-Nov-2026 00:01:02 +0100"', TEXT % 9))
house.check(news(two, "EXISTS")[-1:] == [b"2"])
date = house.good(two.fetch("2", "(INTERNALDATE FLAGS)"))[0]
house.check(b"\\Seen" in date, date)
house.good(two.copy("1:2", "Archive"))
house.check(house.good(one.status("Archive", "(MESSAGES)"))[0].split()[-1] == b"2)")
house.good(two.uid("MOVE", "1:*", "Trash"))
gone = news(one, "EXPUNGE")
house.check(len(gone) == 2, gone)
house.check(house.good(one.status("Trash", "(MESSAGES UNSEEN)"))[0].count(b"2") >= 1)

# Mailboxes.
house.good(one.create("Projects/Boat"))
house.good(one.rename("Projects/Boat", "Projects/Ship"))
names = house.good(two.list('""', "Projects/*"))
house.check(len(names) == 1 and b"Projects/Ship" in names[0], names)
house.good(two.delete("Projects/Ship"))
house.check(house.good(one.list('""', "Projects/*")) == [None])
for client in (one, two):
    client.logout()
