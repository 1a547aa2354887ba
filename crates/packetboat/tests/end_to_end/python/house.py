"""Where the house under test is, and how to get in. Used by the other scripts."""
import imaplib
import os
import poplib
import smtplib
import ssl

HOST = "localhost"
OFFSET = int(os.environ["HOUSE_OFFSET"])
AUTHORITY = os.environ["HOUSE_AUTHORITY"]
ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD = os.environ["HOUSE_ACCOUNTS"].split("\n")
PASSWORDS = {ALICE: ALICE_PASSWORD, BOB: BOB_PASSWORD}
LIMIT = 50
imaplib._MAXLINE = 10_000_000


def trust():
    """Certificates are checked, names too."""
    return ssl.create_default_context(cafile=AUTHORITY)


def check(good, *said):
    if not good:
        raise AssertionError(*said)


def imap(user, port=993):
    """Logged in: 993 inside TLS, 143 after STARTTLS."""
    if port == 993:
        client = imaplib.IMAP4_SSL(HOST, OFFSET + 993, ssl_context=trust(), timeout=LIMIT)
    else:
        client = imaplib.IMAP4(HOST, OFFSET + port, timeout=LIMIT)
        client.starttls(trust())
    client.login(user, PASSWORDS[user])
    return client


def pop3(user, port=995):
    """Logged in: 995 inside TLS, 110 after STLS."""
    if port == 995:
        client = poplib.POP3_SSL(HOST, OFFSET + 995, context=trust(), timeout=LIMIT)
    else:
        client = poplib.POP3(HOST, OFFSET + port, timeout=LIMIT)
        client.stls(trust())
    client.user(user)
    client.pass_(PASSWORDS[user])
    return client


def smtp(port, user=None, mechanism=None):
    """465 inside TLS, the others after STARTTLS; logged in where there is a user."""
    if port == 465:
        client = smtplib.SMTP_SSL(HOST, OFFSET + 465, "client.example.test", context=trust(), timeout=LIMIT)
    else:
        client = smtplib.SMTP(HOST, OFFSET + port, "client.example.test", timeout=LIMIT)
        client.starttls(context=trust())
    client.ehlo()
    if user and mechanism:
        client.user, client.password = user, PASSWORDS[user]
        code, said = client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
        check(code == 235, code, said)
    elif user:
        client.login(user, PASSWORDS[user])
    return client


def good(answer):
    """The data of an answer of imaplib that must be OK."""
    verdict, data = answer
    check(verdict == "OK", verdict, data)
    return data
