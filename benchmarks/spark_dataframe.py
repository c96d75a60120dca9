"""Count words with Spark's DataFrames: spark_dataframe.py CORES ascii|unicode TEXT COUNTS.

The settings favour Spark: no user interface, memory to spare, no more partitions than help, and
the quicker expression where the text has no white space but the usual.
"""

import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as sql

# What str.split() takes for white space, in Java's syntax; lines are split before.
SPACES = {
    "ascii": r"\s+",
    "unicode": r"[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+",
}

cores, space, text, counts = sys.argv[1:]
spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.memory", "4g")
    .config("spark.driver.maxResultSize", "0")
    .config("spark.sql.shuffle.partitions", cores)
    .getOrCreate()
)
rows = (
    spark.read.text(text)
    .select(sql.explode(sql.split("value", SPACES[space])).alias("word"))
    .where("word != ''")
    .groupBy("word")
    .count()
    .orderBy(sql.desc("count"), "word")
    .collect()
)
with Path(counts).open("w", encoding="utf-8", newline="") as file:
    file.writelines(f"{word}\t{count}\n" for word, count in rows)
spark.stop()
