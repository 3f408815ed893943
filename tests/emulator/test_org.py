"""The parts of an org below the wire: ids, schemas, paces, seeds."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator, Pace, SchemaError, SeedError, ids, load_schema


@settings(deadline=None)
@given(st.text(alphabet=ids.DIGITS, min_size=15, max_size=15))
def test_check_characters_restore_the_letter_case(significant: str) -> None:
    whole = ids.to_18(significant)
    spoilt = pa.array([whole.lower(), whole.upper(), whole, significant, whole[:17], None, whole[:15] + "!!!"])
    assert ids.canonical(spoilt).to_pylist() == [whole, whole, whole, whole, None, None, None]


def test_check_characters_are_those_of_known_ids() -> None:
    assert ids.to_18("003P000001avB5G") == "003P000001avB5GIAU"
    assert ids.to_18("5002o00002BT0IU") == "5002o00002BT0IUAA1"
    assert ids.to_18("750P0000006HoSQ") == "750P0000006HoSQIA0"


def test_base_62_counts_as_in_the_guide() -> None:
    assert ids.to_base62(250_000, 12) == "00000000132G"[-12:]
    assert ids.from_base62("132G") == 250_000


def test_same_seed_same_org() -> None:
    first, second, other = (Emulator(seed=seed) for seed in (1, 1, 2))
    try:
        told = [
            (org.session_id, org.client_secret, org.insert("Account", [{"Name": "A"}]))
            for org in (first, second, other)
        ]
        assert told[0] == told[1]
        assert told[0] != told[2]
    finally:
        for org in (first, second, other):
            org.stop()


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_schema_files_extend_the_standard_objects(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"schema.{suffix}"
    if suffix == "toml":
        file.write_text(
            '[contact.fields]\nExt__c = "string(40) unique external_id"\n[Part__c]\nlabel = '
            '"Part"\n[Part__c.fields]\nSize__c = {type = "double", scale = 2}\n'
        )
    else:
        file.write_text(
            json.dumps(
                {
                    "contact": {"fields": {"Ext__c": "string(40) unique external_id"}},
                    "Part__c": {"label": "Part", "fields": {"Size__c": {"type": "double", "scale": 2}}},
                }
            )
        )
    schema = load_schema(file)
    ext = schema.sobjects["Contact"].field("EXT__C")
    assert ext is not None
    assert (ext.length, ext.unique, ext.external_id, ext.id_lookup, ext.custom) == (40, True, True, True, True)
    part = schema.get("part__C")
    assert part is not None
    assert (part.label, part.label_plural, part.key_prefix) == ("Part", "Parts", "a00")
    assert [name for name in part.fields if name in {"Id", "Name", "OwnerId", "Size__c", "IsDeleted"}] == [
        "Id",
        "Name",
        "OwnerId",
        "Size__c",
        "IsDeleted",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"A__c": "nonsense"},
        {"A__c": "string(40) strange"},
        {"A__c": {"type": "string", "size": 4}},
        {"A__c": "reference(Nothing)"},
    ],
)
def test_impossible_schemas_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SchemaError):
        load_schema({"Contact": {"fields": fields}})


def test_addresses_come_with_their_parts() -> None:
    contact = load_schema().sobjects["Contact"]
    assert contact.fields["MailingCity"].compound_field_name == "MailingAddress"
    assert not contact.fields["MailingAddress"].is_column


def test_account_knows_its_children() -> None:
    children = {
        (child.child_sobject, child.field): child for child in load_schema().sobjects["Account"].child_relationships
    }
    assert children["Contact", "AccountId"].cascade_delete


def test_seeding_refuses_what_a_batch_would() -> None:
    org = Emulator()
    with pytest.raises(SeedError, match="REQUIRED_FIELD_MISSING"):
        org.insert("Contact", [{"FirstName": "x"}])
    with pytest.raises(KeyError):
        org.records("Nothing")
    org.stop()


def test_instant_pace_is_done_when_the_post_is_answered() -> None:
    with Emulator(pace=Pace.instant()) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\nx")
        assert batch.element("state") == "Queued"
        assert wire.ask("GET", f"job/{job}/batch/{batch.id}").element("state") == "Completed"


def test_timed_pace_takes_its_time() -> None:
    with Emulator(pace=Pace.timed(0.0, records_per_second=50)) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\n" + "x\n" * 5)
        org.wait_until_idle()
        took = int(wire.ask("GET", f"job/{job}/batch/{batch.id}").element("totalProcessingTime"))
        assert took >= 100


def test_org_kept_in_a_file_is_there_again(tmp_path: Path) -> None:
    file = str(tmp_path / "org.duckdb")
    with Emulator(database=file) as org:
        (first,) = org.insert("Account", [{"Name": "A"}])
    with Emulator(database=file) as org:
        assert [record["Id"] for record in org.records("Account")] == [first]
        (second,) = org.insert("Account", [{"Name": "B"}])
        assert second > first


def test_org_is_served_over_tls(tmp_path: Path) -> None:
    import ssl
    import urllib.request

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with Emulator(tls=(tmp_path / "cert.pem", tmp_path / "key.pem")) as org:
        assert org.base_url.startswith("https://127.0.0.1:")
        with urllib.request.urlopen(f"{org.base_url}/services/data", context=context) as answer:
            assert answer.status == 200


def test_app_is_served_in_process() -> None:
    import asyncio

    org = Emulator()

    async def ask() -> list[dict[str, object]]:
        said: list[dict[str, object]] = []
        asked: list[bool] = []

        async def receive() -> dict[str, object]:
            if asked:
                await asyncio.Event().wait()
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            said.append(message)

        scope = {"type": "http", "method": "GET", "path": "/services/async/66.0/job/x", "raw_path": b"", "query_string": b"",
                 "headers": [(b"x-sfdc-session", org.session_id.encode())], "scheme": "http", "server": ("x", 80), "root_path": ""}  # fmt: skip
        await org.app(scope, receive, send)  # type: ignore[arg-type]
        return said

    assert asyncio.run(ask())[0]["status"] == 400
    org.stop()
