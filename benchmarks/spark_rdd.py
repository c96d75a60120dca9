"""Count words with Spark's RDDs: spark_rdd.py CORES TEXT COUNTS.

As Spark's own documentation counts words in Python. The settings favour Spark, as in
spark_dataframe.py.
"""

import sys
from operator import add
from pathlib import Path

from pyspark import SparkConf, SparkContext

cores, text, counts = sys.argv[1:]
context = SparkContext(
    conf=SparkConf()
    .setMaster(f"local[{cores}]")
    .set("spark.ui.enabled", "false")
    .set("spark.driver.memory", "4g")
    .set("spark.driver.maxResultSize", "0")
)
rows = (
    context.textFile(text)
    .flatMap(str.split)
    .map(lambda word: (word, 1))
    .reduceByKey(add, int(cores))
    .sortBy(lambda row: (-row[1], row[0]))
    .collect()
)
with Path(counts).open("w", encoding="utf-8", newline="") as file:
    file.writelines(f"{word}\t{count}\n" for word, count in rows)
context.stop()
