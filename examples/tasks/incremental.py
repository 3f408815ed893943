"""Extract only what has changed since the last time: the first run fetches all, each further one what is new.

Run it every night. `contacts.toml` remembers how far it came, and what came already and has not changed is left out.
"""

import bulkforce as bf

with bf.connect() as client:
    report = client.extract(
        "SELECT Id, LastName, Email, SystemModstamp FROM Contact",
        to="changes.csv",
        since_file="contacts.toml",
        append=True,
        repeats="drop",
    )

print(f"{report.rows} contacts are new or have changed")
