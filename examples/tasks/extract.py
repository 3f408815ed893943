"""Extract what a query finds: to a Parquet file with the org's types, to CSV, and in memory."""

import bulkforce as bf

SOQL = "SELECT Id, LastName, Email, Birthdate FROM Contact"

with bf.connect() as client:
    report = client.extract(SOQL, to="contacts.parquet")
    print(report)
    client.extract(SOQL, to="contacts.csv.gz")
    for batch in client.query(SOQL):  # Arrow, while more is still arriving; or .to_polars(), .to_pandas(), .to_duckdb()
        print(f"{batch.num_rows} contacts with the columns {', '.join(batch.schema.names)}")
