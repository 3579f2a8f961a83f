"""The names of the files in an output folder."""

from segment_scorer.runner.writing.formats import FORMATS

SEGMENT = "segment.jsonl.gz"
SCORES = "scores.csv"
DECISIONS = "decisions.csv"
REJECTED = "rejected.jsonl"
LOG = "batches.jsonl"
REPORT = "report.html"
SUMMARY = "summary.json"
# All files of a run but the summary. A new run deletes those that an earlier one left.
FILES = (
    SEGMENT,
    SCORES,
    DECISIONS,
    REJECTED,
    LOG,
    REPORT,
    *(name for format_ in FORMATS.values() for name in (format_.file, *format_.further)),
)
# Records of the people and of the chunks, to count and choose users: see `people`. They and, of a
# run that chooses, the files before the choice never leave the hidden folder.
PEOPLE = "people.bin"
CHUNKS = "chunks.jsonl"
ALL_SEGMENT = "all.jsonl.gz"
ALL_DECISIONS = "all.csv"
# The hidden folder of an unfinished run, and its checkpoint in it.
UNFINISHED = ".unfinished"
CHECKPOINT = "checkpoint.json"
