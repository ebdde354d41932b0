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
    "P001.escape": Text(
        "`\\` and what follows is no escape in double quotes",
        "this escape",
        "write the pattern in single quotes, where `\\` stays as it is: '…'",
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
    "P006.space": Text(
        "a space of another kind stands where YAML wants plain ones",
        "not a plain space",
        "replace it by spaces; two for each level",
    ),
    "P007.several": Text(
        "the file holds several documents", "second begins", "put each policy into a file of its own"
    ),
    "P007.empty": Text(
        "the file is empty", "nothing here", "begin with `policy:`, a name, and `language: 1`"
    ),
    "P008.missing": Text(
        "the file `{path}` cannot be read",
        "",
        "check the name and the rights; pipes and devices are never read",
    ),
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
    "P011.alone": Text(
        "`{value}` stands for all of `{key}` and cannot be one entry of a list",
        "stands alone",
        "write `{key}: {value}`, or delete it from the list",
    ),
    "P012": Text("`{key}` is missing", "belongs in here", "add `{key}:`"),
    "P013.text": Text(
        "`{key}` wants a text", "not a text", "write one value, in quotes if it has special characters"
    ),
    "P013.none": Text("`{key}` has no value", "nothing behind it", "write a value or delete the key"),
    "P013.given": Text(
        "`given` has no value",
        "nothing behind it",
        'write the message; one without text (an image, a voice message) is ""',
    ),
    "P013.mapping": Text(
        "`{key}` wants keys and values",
        "no keys here",
        "write `key: value` lines below it, or {{ key: value }}",
    ),
    "P013.entry": Text(
        "each entry of `{key}` wants keys and values",
        "an entry without keys",
        "write `- key: value` with its other keys below it, or delete the entry",
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
    "P013.period": Text("`{key}` wants a period", "not a period", "write it like 7y, 18m (months) or 90d"),
    "P013.size": Text("`{key}` wants a size", "not a size", "write it like 500KB or 20MB"),
    "P013.percent": Text(
        "`{key}` wants a percentage",
        "not a percentage",
        "write a number above 0 and up to 100, without the sign",
    ),
    "P013.hours": Text("`{key}` wants hours", "not hours", 'write them like "09:00-18:30", in quotes'),
    "P013.hours.order": Text(
        "the hours end before they begin",
        "ends first",
        "write the earlier time first; the hours are those of one day",
    ),
    "P013.day": Text("`{key}` can be a day at most", "longer than a day", "write 24h or less"),
    "P013.empty": Text(
        "`{key}` is an empty list", "nothing in it", "write at least one entry, or delete the key"
    ),
    "P013.two": Text(
        "`{key}` wants exactly two groups",
        "not two",
        "write [one, other]; for one direction use `from` and `to`",
    ),
    "P013.timezone": Text("`{key}` wants a time zone", "not a known zone", "write it like Asia/Hong_Kong"),
    "P013.address": Text(
        "`{key}` is no address of an archive",
        "not an address",
        "write s3://BUCKET/PREFIX, smtp://HOST:PORT/ADDRESS, smtps://… or file:///FOLDER; no password",
    ),
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
    "P014.dates": Text(
        "`dates` names no column", "no column", "write {{ from: COLUMN, until: COLUMN }}, or one of the two"
    ),
    "P014.dated": Text(
        "only a list from a file has columns with dates",
        "no file",
        "delete `dates`, or write the words in a file",
    ),
    "P014.calendar": Text(
        "`days: trading` and `calendar` belong together",
        "only one of the two",
        "write both, for example `days: trading, calendar: XHKG`",
    ),
    "P014.outside": Text(
        "`outside` names neither hours nor days",
        "never outside",
        'write `hours: "09:00-18:30"`, `days: weekdays`, or both',
    ),
    "P014.condition": Text(
        "this condition says nothing, so it would hold for every message",
        "says nothing",
        "write a key with a value, or delete it",
    ),
    "P014.count": Text(
        "`count` without `within` counts findings, and nothing is looked for",
        "nothing to count",
        "add `finds`, or `within: 10m` to count messages",
    ),
    "P014.late": Text("`if_late` needs `decide_within`", "late after what?", "add `decide_within: 30m`"),
    "P014.language": Text("`{key}` has no text in any language", "no text", "write {{ en: …, zh: … }}"),
    "P014.rollout": Text(
        "`rollout` has either `groups` or `percent`", "this rollout", "write one of the two"
    ),
    "P014.barrier": Text(
        "a barrier has either `between`, or `from` and `to`",
        "this barrier",
        "write `between: [one, other]`, or `from: one` and `to: other`",
    ),
    "P014.keep": Text(
        "a period of retention is either `keep` or `preset`", "this entry", "write one of the two"
    ),
    "P014.preset": Text(
        "a preset says itself when its period starts",
        "the preset says it",
        "delete `start`, or write the period with `keep`",
    ),
    "P014.lock": Text(
        "only a bucket locks what lies in it",
        "this locks nothing",
        "delete `object_lock`, or name an s3:// address",
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
        "{owner} looks for `{name}`, which is not a detector",
        "not defined under `detectors:`",
        "detectors here: {choices}",
    ),
    "P020.near": Text(
        "{owner} looks for `{name}`, which is not a detector",
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
        "{owner} names `{name}`, which is not a group",
        "not defined under `groups:`",
        "groups here: {choices}",
    ),
    "P022.near": Text(
        "{owner} names `{name}`, which is not a group",
        "not defined under `groups:`",
        "did you mean `{guess}`? (line {line})",
    ),
    "P023.rule": Text(
        "two rules have the id `{name}`", "used again", "choose another id; the first is on line {line}"
    ),
    "P023.policy": Text(
        "two files are called `{name}`", "used again", "choose another name; the first file is {file}"
    ),
    "P023.id": Text(
        "`{name}` is already an id in this file",
        "used again",
        "choose another id; it is first used on line {line}",
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
    "P024.cells": Text(
        "line {line} of the list file `{path}` has {found} cells, its first line {wanted}",
        "this file",
        "put a cell with a comma into double quotes, and leave no column out",
    ),
    "P024.twice": Text(
        "the list file `{path}` has two columns `{name}`", "this file", "give each column a name of its own"
    ),
    "P024.invisible": Text("a word has no visible character", "this word", "delete it"),
    "P024.long": Text(
        "the list file `{path}` has a word of more than {limit} characters", "this file", "shorten the word"
    ),
    "P024.date": Text(
        "`{value}` in line {line} of the list file `{path}` is not a date",
        "dates are in this column",
        "write dates like 2027-01-31",
    ),
    "P024.order": Text(
        "line {line} of the list file `{path}` ends before it begins",
        "these columns",
        "write the earlier date into the column of `from`",
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
    "P026": Text(
        "exception `{name}` ended on {day}",
        "in the past",
        "delete it, or have it approved again with another date",
    ),
    "P027": Text(
        "{owner} names `{name}`, which is not a rule or barrier of this file",
        "not an id here",
        "rules and barriers here: {choices}",
    ),
    "P027.near": Text(
        "{owner} names `{name}`, which is not a rule or barrier of this file",
        "not an id here",
        "did you mean `{guess}`? (line {line})",
    ),
    "P028": Text(
        "`{name}` is not the name of a preset",
        "no such preset",
        "take one from docs/retention-presets.md, or write the period with `keep: 7y`",
    ),
    "P028.near": Text("`{name}` is not the name of a preset", "no such preset", "did you mean `{guess}`?"),
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
    "P032": Text(
        "rule `{rule}` changes nothing: rule `{other}` covers it",
        "covered",
        "delete it, or make `{other}` narrower (line {line})",
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
    "P035": Text(
        "rule `{rule}` holds messages without a time limit",
        "no limit",
        "add `decide_within: 30m` and `if_late: escalate` (or `block`)",
    ),
    "P036.rule": Text(
        "rule `{name}` was to be reviewed by {day}",
        "review is due",
        "look at it again, then write a later day",
    ),
    "P036.list": Text(
        "list `{name}` was to be reviewed by {day}",
        "review is due",
        "look at it again, then write a later day",
    ),
    "P037": Text(
        "exception `{name}` ends on {day}", "ends soon", "have it approved again if it is still needed"
    ),
    "P038.group": Text(
        "group `{name}` has nobody in it", "nobody", "add addresses under `symphony` or tags under `weixin`"
    ),
    "P038.symphony": Text(
        "`{name}` is nobody in Symphony",
        "matches nobody",
        "write an address, a pattern with `*`, or a user id",
    ),
    "P038.weixin": Text(
        "`{name}` is nobody in Weixin", "matches nobody", 'write a tag ("tag:客户") or an external id'
    ),
    "P038.for": Text(
        "`{name}` is taken for a person's id: there is no such group",
        "not a group",
        "did you mean the group `{guess}`? (line {line})",
    ),
    "P038.unless": Text(
        "`unless` of rule `{rule}` is for the other direction and never applies",
        "never applies",
        "delete it, or write the direction of `when`",
    ),
    "P038.rollout": Text(
        "rule `{rule}` is not enforced, so its `rollout` says nothing",
        "without effect",
        "write `mode: enforce`, or delete `rollout`",
    ),
    "P038.exception": Text(
        "rule `{rule}` is off, so exception `{name}` lifts nothing", "without effect", "delete the exception"
    ),
    "P038.only": Text(
        "`{rule}` looks for no words, so `only` can never hold", "never holds", "delete `only`"
    ),
    "P038.count": Text(
        "`{key}` is asked of this message alone: earlier ones are counted by what is found in them",
        "not asked of earlier messages",
        "count without `{key}`, or leave it if that is what you want counted",
    ),
    "P038.confidence": Text(
        "`confidence` says nothing without `finds`", "without effect", "add `finds`, or delete it"
    ),
    "P038.infected": Text(
        "nobody looks for viruses, so `infected` says nothing", "without effect", "add `virus_scan: clamav`"
    ),
    "P038.people": Text(
        "`{name}` is taken for a person's id, and it is a group",
        "not a person",
        "name the people: addresses or ids",
    ),
    "P038.since": Text(
        "legal hold `{name}` keeps nothing before {day}, which is still to come",
        "in the future",
        "write the first day that matters",
    ),
    "P039.calendar": Text(
        "the holidays of {name} are known up to {year}: later ones count as trading days",
        "known up to {year}",
        "update the program, which brings the holidays that were published since",
    ),
    "P039": Text(
        "the list file `{path}` is older than `stale_after`: messages are held",
        "too old",
        "have the file delivered again",
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
    "P043": Text(
        "`{word}` contains `{inner}`, which is found there already",
        "covered",
        "delete it, or delete `{inner}`",
    ),
    "P043.same": Text(
        "`{word}` is the same word as `{inner}`",
        "written twice",
        "delete one of the two: width, case and script make no difference",
    ),
    "P044": Text(
        "`{key}` has no text in {language}", "one language is missing", "add `{tag}:` with the text"
    ),
    "P045.unless": Text(
        "rule `{rule}` can never match: its `unless` takes every match away",
        "takes all away",
        "make `unless` narrower than `when`",
    ),
    "P045.confidence": Text(
        "rule `{rule}` can never match: none of its detectors is ever that sure",
        "never reached",
        "write a lower `confidence`, or make a detector surer",
    ),
    "P045.barrier": Text(
        "barrier `{name}` can never act: its groups have nobody on both networks",
        "never between two networks",
        "name people of Symphony on one side and people of Weixin on the other",
    ),
    "P045.excluded": Text(
        "rule `{rule}` can never match: `{key}` and `{other}` exclude each other",
        "never together",
        "delete one of the two",
    ),
    "P045.pattern": Text(
        "`{part}` in the pattern of `{name}` is never found: {why}",
        "never there",
        "write it as texts are compared: `weighbridge policy try --show-folded` shows it",
    ),
    "P046": Text(
        "nobody has confirmed the period of `{name}` ({rule})",
        "{keep}, not confirmed",
        "have legal staff confirm it, or write the period with `keep`",
    ),
    "P047": Text(
        "legal hold `{name}` has no `since`: every record of these people is kept",
        "no first day",
        "add `since:` with the first day that matters",
    ),
    "P048": Text(
        "`{name}` asks for write-once media, and no archive of this file locks what it keeps",
        "nowhere is locked",
        "give an archive `object_lock: governance` or `object_lock: compliance`",
    ),
    "P049": Text(
        "no class of retention is for every record: what none of them fits is kept without an end",
        "for some records only",
        "add an entry without `for`, `direction` and `kind`, in a file without `applies_to`",
    ),
    "P051": Text("this version reads language 1", "another language", "write `language: 1`"),
    "P060": Text("test of rule `{rule}` fails: {problem}", "this test", "mend the rule or the test"),
    # phrases: words that stand inside other texts
    "none": Text("none"),
    "who.rule": Text("rule `{name}`"),
    "who.barrier": Text("barrier `{name}`"),
    "who.exception": Text("exception `{name}`"),
    "who.section": Text("`{name}`"),
    "language.en": Text("English"),
    "language.zh": Text("Chinese"),
    "bound.least": Text("at least {limit}"),
    "bound.most": Text("at most {limit}"),
    "re2.open": Text("missing ): {fragment}"),
    "re2.closed": Text("unexpected ): {fragment}"),
    "re2.square": Text("missing ]: {fragment}"),
    "re2.argument": Text("no argument for repetition operator: {fragment}"),
    "re2.operator": Text("bad repetition operator: {fragment}"),
    "re2.size": Text("invalid repetition size: {fragment}"),
    "re2.perl": Text("invalid perl operator: {fragment}"),
    "re2.escape": Text("invalid escape sequence: {fragment}"),
    "re2.range": Text("invalid character class range: {fragment}"),
    "dead.space": Text("any white space is compared as one space"),
    "dead.capital": Text("texts are compared in small letters"),
    "dead.character": Text("it is compared as other characters"),
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
    "nothing": Text("nothing"),
    "trial.outcome": Text("expected {expected}, got {got}"),
    "trial.text": Text("text '{got}' ≠ '{expected}'"),
    "trial.would": Text("expected would be {expected}, got {got}"),
    "trial.tags": Text("expected tags {expected}, got {got}"),
    "trial.rule": Text("expected rule {expected} to decide, got {got}"),
}
