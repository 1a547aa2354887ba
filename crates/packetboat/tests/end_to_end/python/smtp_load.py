"""ROUND SENDERS RECIPIENT: each sender sends messages, each once, until the server is gone. Says what was begun and
what was acknowledged, a line each."""
import sys
import threading

import house

round_, senders, recipient = sys.argv[1], int(sys.argv[2]), sys.argv[3]
speaking = threading.Lock()


def say(what, name):
    with speaking:
        print(what, name)


def send(number):
    n = 0
    try:
        client = house.smtp(25)
        while True:
            name = f"<{round_}.{number}.{n}@load.test>"
            n += 1
            text = f"From: sender@elsewhere.test\r\nMessage-ID: {name}\r\n\r\n" + "A line of the load.\r\n" * (10 + 97 * n % 500)
            say("begun", name)
            client.sendmail("sender@elsewhere.test", [recipient], text.encode())
            say("acknowledged", name)
    except house.smtplib.SMTPServerDisconnected:
        return
    except house.smtplib.SMTPException:
        # A refusal is not the kill, though Python counts it among the errors of the system.
        failed.set()
        raise
    except OSError:
        return


failed = threading.Event()
threads = [threading.Thread(target=send, args=(number,)) for number in range(senders)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(failed.is_set())
