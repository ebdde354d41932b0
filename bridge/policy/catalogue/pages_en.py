"""What each code means and why it matters, in English.

Rules of this file: a title, a paragraph of meaning, a paragraph of reason; no blame, no program's words.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.policy.catalogue.text import PageText

PAGES_EN: Mapping[str, PageText] = {
    "P001": PageText(
        "This is not YAML",
        "The file breaks a rule of YAML, the notation in which policies are written: a tab, an "
        "open quotation mark, a bracket, or a text that needs quotes.",
        "Nothing behind this place can be read, so nothing in the file can be relied on.",
    ),
    "P002": PageText(
        "A key is written twice",
        "The same key stands twice in one place.",
        "Most programs silently take the last one. The reviewer may have read the first.",
    ),
    "P003": PageText(
        "Anchors and aliases",
        "YAML can name a value (`&name`) and repeat it elsewhere (`*name`). The language of "
        "policies does not use this.",
        "A rule must say what it does where it stands, or its reader has to search the file for it.",
    ),
    "P004": PageText(
        "Tags",
        "A word with `!` in front of a value is a tag of YAML. The language of policies has none: "
        "each key knows the type of its value.",
        "A tag can turn a value into something that its reader does not see.",
    ),
    "P005": PageText(
        "Merge keys",
        "`<<` mixes the keys of another mapping into this one. The language of policies does not use it.",
        "What applies would stand in two places, and the stricter one might be overwritten.",
    ),
    "P006": PageText(
        "Chinese punctuation in the structure",
        "A full-width colon, comma, bracket or quotation mark stands where YAML wants its own. "
        "Inside a text they are welcome.",
        "An input method writes them unasked, and they look almost alike; YAML takes them for part "
        "of the text.",
    ),
    "P007": PageText(
        "Empty, or several documents",
        "A file holds exactly one policy. `---` begins a second document.",
        "Each policy has an owner and a hash of its own, and is approved by itself.",
    ),
    "P008": PageText(
        "The file cannot be read",
        "The file is missing, may not be read, is too large, or is not UTF-8 text.",
        "A policy that cannot be read is not in force; the one before it stays.",
    ),
    "P010": PageText(
        "Unknown key",
        "The key is not one of those that may stand here; often it is misspelt.",
        "If unknown keys were ignored, a misspelt condition would make a rule wider or narrower "
        "than it reads.",
    ),
    "P011": PageText(
        "Not one of the words",
        "The key takes one of a few words, and this is none of them.",
        "A guess could be wrong in the direction that nobody notices.",
    ),
    "P012": PageText(
        "A key is missing",
        "This part of the file cannot do without the key.",
        "A rule without title or severity cannot be reviewed, one without `when` or `then` does nothing.",
    ),
    "P013": PageText(
        "The value has another form",
        "The key wants a value of another form: a number, a date, a length of time, a list, a switch.",
        "A value that has to be bent into shape does not mean what its writer meant.",
    ),
    "P014": PageText(
        "Keys that do not go together",
        "Each key is right by itself, but together they contradict each other, or one lacks its partner.",
        "Of two keys that contradict each other, nobody could say which applies.",
    ),
    "P020": PageText(
        "No such detector",
        "`finds` names a detector that is not defined under `detectors:`.",
        "The rule would look for nothing, and everything would pass.",
    ),
    "P021": PageText(
        "No such list",
        "A detector names a list that is not defined under `lists:`.",
        "The detector would find nothing.",
    ),
    "P022": PageText(
        "No such group",
        "Something names a group of people that is not defined under `groups:`.",
        "The condition would hold for nobody.",
    ),
    "P023": PageText(
        "A name is used twice",
        "Two things in force have the same id or name.",
        "Records, tests and exceptions refer to things by id: each id must mean one thing.",
    ),
    "P024": PageText(
        "A list cannot be used",
        "The words of a list cannot be had: a file or a column is missing, or there are no words in it.",
        "A list without words finds nothing, and nobody would notice.",
    ),
    "P025": PageText(
        "`unless_words` does not fit",
        "`unless_words` names a word that is not in the list, or a longer word that does not contain it.",
        "It would never make anything innocent, and its writer believes that it does.",
    ),
    "P026": PageText(
        "An exception has ended",
        "The day on which the exception ends is over.",
        "An exception that nobody renews is no longer approved; it must not look as if it were.",
    ),
    "P027": PageText(
        "No such rule or barrier",
        "An exception names a rule or barrier that is not in this file.",
        "It would lift nothing, or one day something that is only later given this name.",
    ),
    "P028": PageText(
        "No such preset of retention",
        "The preset is not one of those that the product knows.",
        "Records would be kept for a time that nobody has named.",
    ),
    "P030": PageText(
        "No test shows the rule acting",
        "The rule is enforced, but none of its tests shows it doing anything.",
        "A rule that has never been seen to act may never act.",
    ),
    "P031": PageText(
        "Not used",
        "A detector, list or group is defined and used nowhere.",
        "Its writer believes that it protects somebody.",
    ),
    "P032": PageText(
        "Covered by a stricter rule",
        "Wherever this rule matches, a stricter one matches too, so this one can never change an outcome.",
        "It reads as if it did something, and hides what really decides.",
    ),
    "P033": PageText(
        "No reason is given",
        "The rule does not say which regulation, policy or memo it comes from.",
        "Whoever reviews a held message or changes the rule must know what it is for.",
    ),
    "P034": PageText(
        "A word of one Chinese character",
        "The word is a single character, and it will be found inside many innocent words.",
        "Reviewers who see false alarms all day overlook the true one.",
    ),
    "P035": PageText(
        "A hold without a time limit",
        "The rule holds messages and does not say how soon somebody must decide, or what follows "
        "if nobody does.",
        "A client's message could wait for ever without anybody being late.",
    ),
    "P036": PageText(
        "A review is due",
        "The day of `review_by` is over.",
        "Words and rules age; whoever owns them promised to look at them again by that day.",
    ),
    "P037": PageText(
        "An exception ends soon",
        "The exception ends within the next fourteen days.",
        "If it is still needed, it has to be approved again in time.",
    ),
    "P038": PageText(
        "Without effect",
        "The key or entry is allowed here, but nothing can come of it.",
        "What has no effect reads as if it had one.",
    ),
    "P039": PageText(
        "A list is out of date",
        "The list's file is older than `stale_after` allows.",
        "Until a new file is there, every message that the list is needed for is held.",
    ),
    "P040": PageText(
        "The pattern cannot be used",
        "RE2, which runs patterns, does not accept this one. It has no look-ahead, look-behind or "
        "back-references.",
        "In exchange no pattern, however written, can stall the delivery of messages.",
    ),
    "P041": PageText(
        "The pattern matches nothing at all",
        "Every part of the pattern may be absent, so it also matches the empty text. Empty matches "
        "are not counted.",
        "Usually one part was meant to be there.",
    ),
    "P042": PageText(
        "`\\b` in a pattern",
        "`\\b` is the edge of a word of Latin letters. Between Chinese characters there is none.",
        "账户8812345678 would be found in one spelling and missed in another. `boundary` knows both scripts.",
    ),
    "P043": PageText(
        "A word inside another word",
        "The list also has a shorter word that is part of this one, so the longer one finds nothing new.",
        "Whoever deletes the shorter one later must know that the longer one stays.",
    ),
    "P044": PageText(
        "A language is missing",
        "A text for people is there in one of the languages in use, but not in another.",
        "Somebody will be told something that he cannot read.",
    ),
    "P045": PageText(
        "The rule can never match",
        "The conditions of the rule exclude each other.",
        "It reads like a protection and is none.",
    ),
    "P046": PageText(
        "A period nobody has confirmed",
        "The preset's period was not confirmed against the text of the regulation.",
        "How long records must live is a legal question; your legal staff answer it.",
    ),
    "P047": PageText(
        "A legal hold without a first day",
        "The legal hold does not say from which day on records matter, so it keeps all of them.",
        "That is safe, and often more than was ordered.",
    ),
    "P048": PageText(
        "Write-once media, and none there",
        "A class of records asks for write-once media, and no archive of this file locks what it keeps.",
        "Give an archive an object lock; one of another file does as well, if it gets the same messages.",
    ),
    "P049": PageText(
        "No period for every record",
        "Each class of retention is for some records only: for some people, one direction, some kinds.",
        "What none of them fits has no end, so it is kept for ever; privacy law seldom allows that. "
        "The files that decide together are looked at together.",
    ),
    "P051": PageText(
        "Another version of the language",
        "The file is written in a version of the language that this program does not read.",
        "The same words may mean something else there.",
    ),
    "P060": PageText(
        "A test fails",
        "A test inside a rule expects something else than what the policy does.",
        "Either the rule or the expectation is wrong; until somebody has decided which, the file "
        "is not used.",
    ),
}
