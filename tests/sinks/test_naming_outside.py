"""Names outside: by message and digest, nothing that was written."""

from archives import parcel, record

from bridge.sinks.naming import digest_in, name_of_file


def test_names() -> None:
    """A name sorts by message and promises the bytes; a version behind it changes nothing."""
    one = parcel(record(1234567))
    assert one.name.startswith("records/000001234/000001234567/1-")
    assert digest_in(f"{one.name}@v7") == digest_in(one.name)
    assert len(digest_in(one.name)) == 64
    assert digest_in(name_of_file(1, 0, "ab" * 32)) == "ab" * 32
