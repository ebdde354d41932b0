"""What is wrong with a policy file, in English: the table that the others translate.

Rules of this file: one entry per key. The sentence says what is wrong without blaming, the label stands
beside the caret, the help is one thing to do. `{{` and `}}` are braces, `{name}` is a value.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.policy.catalogue.text import Text

EN: Mapping[str, Text] = {
    "P001.tab": Text(
        "a tab stands where YAML wants spaces", "tab", "replace it by spaces; two for each level"
    ),
    "P001.star": Text(
        "a value that begins with `*` or `&` must be in quotes",
        "begins here",
        'write "*@example.com", in quotes',
    ),
    "P001.character": Text(
        "this character cannot begin a value", "begins here", "put the whole value in quotes"
    ),
    "P001.colon": Text(
        "a second `:` stands where none can be",
        "not expected here",
        "put the value in quotes, or check the indentation of this line",
    ),
    "P001.no_colon": Text(
        "a key has no `:`", "expected before this", "write `key: value`, with a space behind the `:`"
    ),
    "P001.quote": Text(
        "a quotation mark is opened and never closed", "opened here", "close it with the same mark"
    ),
    "P001.bracket": Text(
        "a bracket is not closed, or a comma is missing",
        "noticed here",
        "check commas and brackets before this place; a text with , ? : or brackets needs quotes",
    ),
    "P001.indent": Text(
        "this line is not indented like its neighbours",
        "noticed here",
        "give lines that belong together the same number of spaces",
    ),
    "P001.control": Text(
        "the file contains a character that cannot be printed", "here", "delete this character"
    ),
    "P001.deep": Text("the file nests more than {limit} levels deep", "too deep", "write it flatter"),
    "P001.other": Text(
        "this is not YAML: {problem}", "noticed here", "check quotes, brackets and indentation"
    ),
    "P002": Text(
        "`{key}` is written twice in the same place",
        "written again",
        "keep one of the two; it was first written on line {first}",
    ),
    "P003.anchor": Text(
        "anchors are not part of the language", "`&{name}`", "write the value out where it is used"
    ),
    "P003.alias": Text("aliases are not part of the language", "`*{name}`", "write the value out"),
    "P004": Text(
        "tags are not part of the language", "`{tag}`", "delete the tag: each value has the type of its key"
    ),
    "P005": Text("merge keys are not part of the language", "`<<`", "write the keys out where they are used"),
    "P006.key": Text(
        "`{mark}` in a key is a Chinese punctuation mark",
        "Chinese mark",
        "write `{ascii} ` (with a space behind it)",
    ),
    "P006.structure": Text(
        "`{mark}` is a Chinese punctuation mark where YAML wants its own", "Chinese mark", "write `{ascii} `"
    ),
    "P006.quotes": Text(
        "`{mark}` does not quote in YAML: the marks would become part of the text",
        "Chinese mark",
        "write \"…\"; if the marks belong to the text, put all of it in '…'",
    ),
    "P006.comma": Text(
        "`{mark}` does not separate the entries of a list",
        "Chinese mark",
        "write `, `; if the mark belongs to the text, put the entry in quotes",
    ),
    "P007.several": Text(
        "the file holds several documents", "second begins", "put each policy into a file of its own"
    ),
    "P007.empty": Text(
        "the file is empty", "nothing here", "begin with `policy:`, a name, and `language: 1`"
    ),
    "P008.missing": Text("the file `{path}` cannot be read", "", "check the name and the rights"),
    "P008.encoding": Text("the file is not UTF-8 text", "first bad byte", "save it as UTF-8"),
    "P008.large": Text("the file is larger than {limit} MB", "", "split it"),
    "P010": Text("`{key}` is not a key that can be used here", "unknown key", "keys here: {choices}"),
    "P010.near": Text("`{key}` is not a key that can be used here", "unknown key", "did you mean `{guess}`?"),
    "P010.twin": Text(
        "`{key}` is not a key that can be used here, and `{guess}` is missing",
        "unknown key",
        "did you mean `{guess}`?",
    ),
    "P011": Text("`{value}` is not one of the words for `{key}`", "unknown word", "words: {choices}"),
    "P011.near": Text(
        "`{value}` is not one of the words for `{key}`", "unknown word", "did you mean `{guess}`?"
    ),
    "P012": Text("`{key}` is missing", "belongs in here", "add `{key}:`"),
    "P013.text": Text(
        "`{key}` wants a text", "not a text", "write one value, in quotes if it has special characters"
    ),
    "P013.none": Text("`{key}` has no value", "nothing behind it", "write a value or delete the key"),
    "P013.mapping": Text(
        "`{key}` wants keys and values",
        "no keys here",
        "write `key: value` lines below it, or {{ key: value }}",
    ),
    "P013.root": Text(
        "a policy file is made of keys and values", "no key", "begin with `policy:` and a name"
    ),
    "P013.list": Text("`{key}` wants a list", "not a list", "write [one, two] or lines that begin with `- `"),
    "P013.number": Text("`{key}` wants a whole number", "not a number", "write digits only"),
    "P013.range": Text("`{key}` is out of range: {bound}", "out of range", "choose a number in the range"),
    "P013.long": Text("`{key}` is too long: {bound}", "too long", "make it shorter"),
    "P013.true": Text("`{key}` wants the word `true`", "not `true`", "write `{key}: true` or delete the key"),
    "P013.switch": Text("`{key}` wants `true` or `false`", "neither", "write `true` or `false`"),
    "P013.true_or_mapping": Text(
        "`{key}` wants `true` or keys and values", "neither", "write `{key}: true` or `{key}: {{ … }}`"
    ),
    "P013.date": Text("`{key}` wants a date", "not a date", "write it like 2027-01-31"),
    "P013.time": Text("`{key}` wants a date and time", "not a time", 'write it like "2026-11-20 23:10"'),
    "P013.duration": Text(
        "`{key}` wants a length of time", "not a length of time", "write it like 30m, 24h or 7d"
    ),
    "P013.timezone": Text("`{key}` wants a time zone", "not a known zone", "write it like Asia/Hong_Kong"),
    "P013.name": Text(
        "`{value}` cannot be a name", "not a name", "use letters, digits, `-`, `_` and `.`, without spaces"
    ),
    "P013.key": Text("a key must be one piece of text", "not a text", "write `key: value`"),
    "P013.other": Text("`{key}` cannot have this value", "not possible", "see the guide for `{key}`"),
    "P014.list": Text("a list has either `words` or `file`", "this list", "write one of the two"),
    "P014.columns": Text(
        "`file` and `columns` belong together", "this list", "name the columns that hold words"
    ),
    "P014.stale": Text(
        "only a list from a file can grow old",
        "this list",
        "delete `stale_after`, or write the words in a file",
    ),
    "P014.deliver": Text("a rule cannot `deliver` and `{other}`", "both are here", "keep one of the two"),
    "P014.nothing": Text(
        "the rule says nothing that follows",
        "nothing follows",
        "add redact, hold, block, deliver, tag or tell_sender",
    ),
    "P014.redact": Text(
        "the rule masks but looks for nothing", "nothing to mask", "name detectors: `finds: [card]`"
    ),
    "P014.show_match": Text("`show_match` needs a text to show it in", "no text", "add `tell_sender`"),
    "P020": Text(
        "rule `{rule}` looks for `{name}`, which is not a detector",
        "not defined under `detectors:`",
        "detectors here: {choices}",
    ),
    "P020.near": Text(
        "rule `{rule}` looks for `{name}`, which is not a detector",
        "not defined under `detectors:`",
        "did you mean `{guess}`? (line {line})",
    ),
    "P021": Text(
        "detector `{owner}` uses `{name}`, which is not a list",
        "not defined under `lists:`",
        "lists here: {choices}",
    ),
    "P021.near": Text(
        "detector `{owner}` uses `{name}`, which is not a list",
        "not defined under `lists:`",
        "did you mean `{guess}`? (line {line})",
    ),
    "P022": Text(
        "rule `{rule}` names `{name}`, which is not a group",
        "not defined under `groups:`",
        "groups here: {choices}",
    ),
    "P022.near": Text(
        "rule `{rule}` names `{name}`, which is not a group",
        "not defined under `groups:`",
        "did you mean `{guess}`? (line {line})",
    ),
    "P023.rule": Text(
        "two rules have the id `{name}`", "used again", "choose another id; the first is on line {line}"
    ),
    "P023.policy": Text(
        "two files are called `{name}`", "used again", "choose another name; the first file is {file}"
    ),
    "P024.missing": Text(
        "the list file `{path}` cannot be read", "not found", "paths are relative to this policy file"
    ),
    "P024.outside": Text(
        "the list file `{path}` is not beside the policy",
        "leads elsewhere",
        "keep lists in the policy's own folder, and name them without `..`",
    ),
    "P024.column": Text(
        "the list file `{path}` has no column `{name}`", "no such column", "its columns: {choices}"
    ),
    "P024.column.near": Text(
        "the list file `{path}` has no column `{name}`", "no such column", "did you mean `{guess}`?"
    ),
    "P024.empty": Text("the list `{name}` has no words", "no words", "add words, or delete the list"),
    "P024.encoding": Text(
        "the list file `{path}` is not UTF-8 text", "this file", "save it as UTF-8 (in Excel: CSV UTF-8)"
    ),
    "P024.csv": Text(
        "the list file `{path}` is not CSV", "this file", "save it as CSV with a first line of column names"
    ),
    "P024.invisible": Text("a word has no visible character", "this word", "delete it"),
    "P024.long": Text(
        "the list file `{path}` has a word of more than {limit} characters", "this file", "shorten the word"
    ),
    "P025": Text(
        "`unless_words` names `{word}`, which is not a word of this list",
        "not a word of the list",
        "write a word of the list, in front of the longer words that make it innocent",
    ),
    "P025.longer": Text(
        "`{longer}` does not contain `{word}`, so it can never make it innocent",
        "does not contain it",
        "write a longer word with `{word}` in it",
    ),
    "P030": Text(
        "rule `{rule}` is enforced, but no test shows it acting",
        "never seen acting",
        "add a test in which it masks, holds or blocks",
    ),
    "P031.detector": Text(
        "detector `{name}` is not used by any rule", "not used", "use it in `finds`, or delete it"
    ),
    "P031.list": Text(
        "list `{name}` is not used by any detector", "not used", "use it in a detector, or delete it"
    ),
    "P031.group": Text(
        "group `{name}` is not used by any rule", "not used", "use it in a rule, or delete it"
    ),
    "P033": Text(
        "rule `{rule}` does not say why it exists",
        "no `because`",
        "add `because:` with the regulation or memo",
    ),
    "P034": Text(
        "`{word}` is a single Chinese character and will be found in many words",
        "one character",
        "use a longer word",
    ),
    "P040": Text("the pattern cannot be used: {problem}", "not a usable pattern", "{advice}"),
    "P041": Text(
        "the pattern also matches nothing at all",
        "matches the empty text",
        "make at least one part of it obligatory",
    ),
    "P042": Text(
        "`\\b` does not see Chinese characters as it sees letters",
        "`\\b` in a pattern",
        "delete it and write `boundary: word` instead",
    ),
    "P050": Text(
        "`{key}` belongs to the language but is not enforced by this version",
        "not enforced",
        "remove it: a policy that is silently not enforced would be worse",
    ),
    "P051": Text("this version reads language 1", "another language", "write `language: 1`"),
    "P060": Text("test of rule `{rule}` fails: {problem}", "this test", "mend the rule or the test"),
    # phrases: words that stand inside other texts
    "none": Text("none"),
    "bound.least": Text("at least {limit}"),
    "bound.most": Text("at most {limit}"),
    "advice.behind": Text("look-behind is not supported; use `boundary: digits` or `boundary: word` instead"),
    "advice.ahead": Text("look-ahead is not supported; use `boundary` or `context` instead"),
    "advice.size": Text("repeat at most 1000 times, the smaller number first"),
    "advice.operator": Text("one of * + ? {{n}} at a time; there are no possessive repetitions"),
    "advice.argument": Text("put something before * + or ?; a literal one is written \\*"),
    "advice.open": Text("close the round bracket, or write \\( for a literal one"),
    "advice.closed": Text("delete the bracket, or write \\) for a literal one"),
    "advice.square": Text("close the square bracket, or write \\[ for a literal one"),
    "advice.range": Text("write ranges from the smaller to the larger character"),
    "advice.escape": Text(
        "this escape is not known (there are no back-references); a literal backslash is written \\\\"
    ),
    "advice.large": Text("make the pattern shorter, or its repetitions smaller"),
    "advice.guide": Text("see the guide for patterns"),
}
