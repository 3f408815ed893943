"""simple-salesforce at work.

It wants https, and hosts below salesforce.com for its logins: a session sends those to the emulated org.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cases import ORG, VALUES, run
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.util import list_from_generator
from simple_salesforce_bulk2 import Cases


class _Detour(HTTPAdapter):
    """Takes what is meant for any salesforce.com to the emulated org."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        if (parts.hostname or "").endswith(".salesforce.com"):
            request.url = parts._replace(netloc=urlsplit(ORG["base_url"]).netloc).geturl()
        return super().send(request, *args, **kwargs)


def session() -> requests.Session:
    made = requests.Session()
    made.mount("https://", _Detour())
    return made


def open_org(**given: str) -> Any:
    given = given or {"session_id": ORG["session_id"], "instance_url": ORG["base_url"]}
    return Salesforce(version="60.0", session=session(), **given)


sf = open_org()


def whoever_logs_in(**given: str) -> Any:
    return open_org(**given).query("SELECT Username FROM User")["records"][0]["Username"]


def read_back(names: str) -> list[Any]:
    soql = f"SELECT FirstName, LastName, Description FROM Contact WHERE Department = '{names}' ORDER BY CreatedDate, Id"
    return [[record["FirstName"], record["Description"]] for record in sf.query_all(soql)["records"]]


def nasty_values_arrive() -> Any:
    rows = [{"LastName": str(place), "Department": "nasty", "Description": value} for place, value in enumerate(VALUES)]
    inserted = sf.bulk.Contact.insert(rows)
    return {"results": inserted, "records": [description for _, description in read_back("nasty")]}


def nasty_values_come_out() -> Any:
    found = sf.bulk.Contact.query("SELECT LastName, Description FROM Contact WHERE Department = 'nasty'")
    return {record["LastName"]: record["Description"] for record in found}


def contacts(department: str, count: int) -> list[str]:
    made = sf.bulk.Contact.insert(
        [{"LastName": f"{department} {number}", "Department": department} for number in range(count)]
    )
    return [one["id"] for one in made]


def update() -> Any:
    ids = contacts("update", 3)
    results = sf.bulk.Contact.update([{"Id": record, "FirstName": "Ada"} for record in ids], batch_size=2)
    return {"ids": ids, "results": results, "records": read_back("update")}


def upsert() -> Any:
    rows = [{"Badge__c": f"B{number}", "LastName": f"L{number}", "Department": "upsert"} for number in range(3)]
    first = sf.bulk.Contact.upsert(rows[:2], "Badge__c")
    second = sf.bulk.Contact.upsert(rows, "Badge__c")
    return [[one["created"] for one in first], [one["created"] for one in second], first[0]["id"] == second[0]["id"]]


def delete() -> Any:
    ids = contacts("delete", 2)
    results = sf.bulk.Contact.delete([{"Id": record} for record in ids])
    soql = "SELECT Id, IsDeleted FROM Contact WHERE Department = 'delete'"
    return {"results": results, "query": sf.bulk.Contact.query(soql), "all": len(sf.bulk.Contact.query_all(soql))}


def hard_delete() -> Any:
    ids = contacts("hard", 2)
    results = sf.bulk.Contact.hard_delete([{"Id": record} for record in ids])
    return {"results": results, "all": sf.bulk.Contact.query_all("SELECT Id FROM Contact WHERE Department = 'hard'")}


def failing_rows() -> Any:
    return sf.bulk.Contact.insert(
        [{"LastName": "good"}, {"FirstName": "nobody"}, {"LastName": "x" * 81}, {"LastName": "mail", "Email": "no"}]
    )


def wrong_ids() -> Any:
    return sf.bulk.Contact.update([{"Id": "003000000000000AAA", "LastName": "x"}, {"Id": "nonsense", "LastName": "x"}])


def lists_of_dicts() -> Any:
    contacts("lazy", 3)
    pages = sf.bulk.Contact.query("SELECT LastName FROM Contact WHERE Department = 'lazy'", lazy_operation=True)
    return sorted(record["LastName"] for record in list_from_generator(pages))


def relationship() -> Any:
    sf.bulk.Account.insert([{"Name": "Parent", "Number__c": "A-1"}])
    made = sf.bulk.Contact.insert([{"LastName": "Child", "Department": "child", "Account": {"Number__c": "A-1"}}])
    found = sf.query("SELECT Account.Name FROM Contact WHERE Department = 'child'")["records"]
    return [made[0]["success"], found[0]["Account"]["Name"]]


def auto_batches_of_one() -> Any:
    return sf.bulk.Contact.insert([{"LastName": "alone", "Department": "auto"}], batch_size="auto")


def detailed_results() -> Any:
    return sf.bulk.Contact.insert([{"LastName": "told", "FirstName": "x"}], include_detailed_results=True)


def bad_soql() -> Any:
    return sf.bulk.Contact.query("SELECT Nonsense FROM Contact")


def one_record() -> Any:
    made = sf.Contact.create({"LastName": "REST", "Email": "ada@example.com"})
    got = sf.Contact.get(made["id"])
    changed = sf.Contact.update(made["id"], {"FirstName": "Ada"})
    upserted = sf.Contact.upsert("Badge__c/R-1", {"LastName": "By badge"})
    by_badge = sf.Contact.get_by_custom_id("Badge__c", "R-1")["LastName"]
    return [made["success"], got["Email"], changed, upserted, by_badge, sf.Contact.delete(made["id"])]


def no_such_record() -> Any:
    return sf.Contact.get("003000000000000AAA")


def no_last_name() -> Any:
    return sf.Contact.create({"FirstName": "x"})


def paging() -> Any:
    contacts("pages", 4500)
    soql = "SELECT Id FROM Contact WHERE Department = 'pages'"
    first = sf.query(soql)
    everything = sf.query_all(soql)
    return [
        first["totalSize"],
        first["done"],
        len(first["records"]),
        len(everything["records"]),
        len(list(sf.query_all_iter(soql))),
    ]


def describe() -> Any:
    whole = sf.Contact.describe()
    names = {one["name"] for one in sf.describe()["sobjects"]}
    fields = {one["name"]: one["type"] for one in whole["fields"]}
    return [
        whole["keyPrefix"],
        fields["Email"],
        fields["AccountId"],
        fields["Badge__c"],
        {"Account", "Contact"} <= names,
    ]


def limits() -> Any:
    return sorted(sf.limits()["DailyBulkApiBatches"])


def bad_session() -> Any:
    return open_org(session_id="00Dnonsense", instance_url=ORG["base_url"]).query("SELECT Id FROM Contact")


def bad_session_in_bulk() -> Any:
    return open_org(session_id="00Dnonsense", instance_url=ORG["base_url"]).bulk.Contact.insert([{"LastName": "x"}])


run({
    "login_by_password": lambda: whoever_logs_in(username=ORG["username"], password=ORG["password"], security_token=""),
    "login_by_client_credentials": lambda: whoever_logs_in(
        consumer_key=ORG["client_id"], consumer_secret=ORG["client_secret"], domain="acme.my"
    ),
    "login_by_jwt": lambda: whoever_logs_in(
        username=ORG["username"], consumer_key=ORG["client_id"], privatekey=Path(ORG["private_key"]).read_text()
    ),
    "login_refused": lambda: whoever_logs_in(username=ORG["username"], password="wrong", security_token=""),
    "nasty_values_arrive": nasty_values_arrive,
    "nasty_values_come_out": nasty_values_come_out,
    "update": update,
    "upsert": upsert,
    "delete": delete,
    "hard_delete": hard_delete,
    "failing_rows": failing_rows,
    "wrong_ids": wrong_ids,
    "lists_of_dicts": lists_of_dicts,
    "relationship": relationship,
    "auto_batches_of_one": auto_batches_of_one,
    "detailed_results": detailed_results,
    "bad_soql": bad_soql,
    "one_record": one_record,
    "no_such_record": no_such_record,
    "no_last_name": no_last_name,
    "paging": paging,
    "describe": describe,
    "limits": limits,
    "bad_session": bad_session,
    "bad_session_in_bulk": bad_session_in_bulk,
    **Cases(sf).all(),
})  # fmt: skip
