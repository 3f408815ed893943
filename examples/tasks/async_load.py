"""Load two objects side by side with asyncio, and query one of them."""

import asyncio

import bulkforce as bf

ACCOUNTS = [{"Name": f"Account {number}"} for number in range(1, 4)]
CONTACTS = [{"LastName": f"Contact {number}"} for number in range(1, 4)]


async def main() -> None:
    async with await bf.connect_async() as client:
        reports = await asyncio.gather(
            client.load(ACCOUNTS, "Account", "insert"),
            client.load(CONTACTS, "Contact", "insert"),
        )
        for report in reports:
            print(f"{report.object}: {report.succeeded} of {report.read} succeeded")
        async for batch in await client.query("SELECT Name FROM Account WHERE Name LIKE 'Account %' ORDER BY Name"):
            print(batch.column("Name").to_pylist())


asyncio.run(main())
