"""Maps: which columns go to which fields, from a dict, a TOML file or Data Loader's .sdl."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bulkforce.errors import Error, FormatError, UsageError
from bulkforce.load.mapping import OUR_COLUMNS, ColumnMap, read_map, shape


def of_file(folder: Path, name: str, text: str | bytes) -> ColumnMap:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_map(path)


def test_nothing_given_maps_nothing() -> None:
    assert read_map(None) == ColumnMap()
    assert read_map(ColumnMap({"a": "b"})) == ColumnMap({"a": "b"})


def test_dict_names_fields_and_drops_with_none() -> None:
    assert read_map({"E-mail": "Email", "Notes": None}) == ColumnMap({"E-mail": "Email", "Notes": ""})


def test_toml_names_columns_and_constants(tmp_path: Path) -> None:
    text = '\ufeff[columns]\n"E-mail" = "Email"\nNotes = ""\n[constants]\nLeadSource = "Import"\n'
    assert of_file(tmp_path, "a.toml", text) == ColumnMap({"E-mail": "Email", "Notes": ""}, {"LeadSource": "Import"})
    assert read_map(str(tmp_path / "a.toml")) == read_map(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columns", "is not TOML"),
        ("[fields]\na = 'b'", "may hold only the tables"),
        ("columns = 3", "may hold only the tables"),
        ("[columns]\na = 3", "a value that is not a string"),
        ("[constants]\na = true", "a value that is not a string"),
    ],
)
def test_toml_of_another_form_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        of_file(tmp_path, "a.toml", text)


def test_map_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_map(tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        of_file(tmp_path, "a.sdl", b"a\xff=b")


@pytest.mark.parametrize(
    ("line", "column", "field"),
    [
        ("EMAIL=Email", "EMAIL", "Email"),
        ("  EMAIL : Email", "EMAIL", "Email"),
        (r"E\ Mail\ 2=Email", "E Mail 2", "Email"),
        (r"a\=b\:c=Email", "a=b:c", "Email"),
        (r"Gr\u00f6\u00DFe=Size__c", "Größe", "Size__c"),
        (r"back\\slash=Email", r"back\slash", "Email"),
        (r"tab\there=Email", "tab\there", "Email"),
        ("E Mail=Email", "E Mail", "Email"),
        ("Account Ext=Account\\:Ext__c", "Account Ext", "Account:Ext__c"),
        ("long\\\n    Name=Email", "longName", "Email"),
        ("Notes=", "Notes", ""),
        ("Both=A__c, B__c", "Both", "A__c, B__c"),
        ('"=Email', '"', "Email"),
    ],
)
def test_sdl_is_read_as_java_reads_it(tmp_path: Path, line: str, column: str, field: str) -> None:
    text = f"#Mapping values\n!Thu Nov 26 10:00:00 GMT 2026\n\nno mapping\n{line}\n"
    assert of_file(tmp_path, "a.SDL", text) == ColumnMap({column: field}, only_named=True)
    assert of_file(tmp_path, "a.sdl", text.replace("\n", "\r\n")) == ColumnMap({column: field}, only_named=True)


def test_quoted_source_of_sdl_is_a_constant(tmp_path: Path) -> None:
    found = of_file(tmp_path, "a.sdl", '"Import\\ 2026"=LeadSource, Source__c\nName=LastName\n')
    assert found == ColumnMap(
        {"Name": "LastName"}, {"LeadSource": "Import 2026", "Source__c": "Import 2026"}, only_named=True
    )


def test_sdl_that_maps_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="map is empty"):
        of_file(tmp_path, "a.sdl", "# nothing\n")


def test_without_a_map_bytes_stay_as_they_are() -> None:
    found = shape(["Id", "Name"], ColumnMap())
    assert (found.keeps_bytes, found.header, found.apply(b'1,"x"\r\n')) == (True, b"Id,Name\n", b'1,"x"\r\n')


def test_names_alone_change_only_the_header() -> None:
    found = shape(["Id", "E-mail"], ColumnMap({"e-MAIL": "Email"}))
    assert (found.keeps_bytes, found.header) == (True, b"Id,Email\n")


def test_columns_are_renamed_dropped_doubled_and_constants_added() -> None:
    found = shape(
        ["Id", "Name", "Notes"],
        ColumnMap({"Notes": "", "Name": "LastName, Nick__c"}, {"Source": 'a "b", c', "Empty": ""}),
    )
    assert found.header == b"Id,LastName,Nick__c,Source,Empty\n"
    assert found.apply(b'1,"x\ny",n\n2,,\n') == b'1,"x\ny","x\ny","a ""b"", c",\r\n2,,,"a ""b"", c",\r\n'


def test_sdl_drops_what_it_does_not_name(tmp_path: Path) -> None:
    found = shape(["Id", "NAME", "Notes"], of_file(tmp_path, "a.sdl", "Name=LastName\n"))
    assert (found.header, found.apply(b"1,x,n\n")) == (b"LastName\n", b"x\r\n")


def test_our_own_columns_are_left_out_unless_named() -> None:
    source = [*OUR_COLUMNS, "Name"]
    found = shape(source, ColumnMap())
    assert (found.header, found.apply(b"a,b,c,d,,x\n")) == (b"Name\n", b"x\r\n")
    assert found.apply(b"a,b,c,d,yes,'=x\na,b,c,d,,'=x\n") == b"=x\r\n'=x\r\n"
    assert shape(source, ColumnMap({"sf__Id": "Id"})).header == b"Id,Name\n"


def test_empty_becomes_null_on_demand() -> None:
    found = shape(["a", "b"], ColumnMap(constants={"c": ""}), empty_as_null=True)
    assert found.apply(b'1,\n"",2\n') == b"1,#N/A,\r\n#N/A,2,\r\n"


def test_records_are_shaped_whatever_the_limit_of_the_standard_librarys_csv() -> None:
    found = shape(["a", "b"], ColumnMap({"b": ""}))
    limit = csv.field_size_limit(10)
    try:
        assert found.apply(b'"x\n' + b"y" * 200_000 + b'",z\n1,2\n') == b'"x\n' + b"y" * 200_000 + b'"\r\n1\r\n'
        assert csv.field_size_limit() == 10
    finally:
        csv.field_size_limit(limit)


@pytest.mark.parametrize("content", [b"1\n", b"1,2,3\n", b"1,\xff\n"])
def test_what_is_no_record_of_the_source_is_not_shaped(content: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        shape(["a", "b"], ColumnMap({"b": ""})).apply(content)
    assert caught.value.__context__ is None


def test_only_value_that_is_empty_is_no_blank_line() -> None:
    assert shape(["a", "b"], ColumnMap({"b": ""})).apply(b",x\n") == b'""\r\n'


@pytest.mark.parametrize(
    ("column_map", "said"),
    [
        (ColumnMap({"Phone": "Phone"}), "'Phone', which the source does not have; it has: Id, Name"),
        (ColumnMap({"Name": "id"}), "Two columns map to the field"),
        (ColumnMap({}, {"NAME": "x"}), "Two columns map to the field"),
        (ColumnMap({"Name": "A, a"}), "Two columns map to the field"),
        (ColumnMap({"Id": "", "Name": ""}, {"a": "b"}), "No column of the source is left"),
    ],
)
def test_map_that_does_not_fit_is_refused(column_map: ColumnMap, said: str) -> None:
    with pytest.raises(Error, match=said):
        shape(["Id", "Name"], column_map)
