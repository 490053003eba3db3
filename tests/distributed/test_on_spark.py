"""A function of batches in Spark's mapInPandas, with two processors of this machine. Run where PySpark is installed."""

import numpy as np
import pytest

from ctckit import BeamDecoder, NGramModel, Vocabulary
from ctckit.distributed import DecodeLogits
from tests.support.spark import use_local_spark

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Spark has warnings of its own

PLACES = "array<struct<text: string, start: int, end: int, confidence: double>>"
SCHEMA = f"""path string, error struct<what: string, remedy: string>, text string,
    log_prob double, lm_log_prob double, score double, tokens {PLACES}, words {PLACES}"""


@pytest.fixture
def spark(monkeypatch):
    use_local_spark(monkeypatch)
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    yield session
    session.stop()


def test_rows_are_those_of_one_process(spark, tmp_path):
    pandas = pytest.importorskip("pandas")
    chance = np.random.default_rng(0)
    for n in range(30):
        np.save(tmp_path / f"{n:02}.npy", np.log(chance.dirichlet(np.ones(3), 20)).astype(np.float32))
    (tmp_path / "07.npy").write_text("no array", encoding="utf-8")
    NGramModel.train(["abba", "ab"], order=2, unit="char").save(tmp_path / "chars.ctclm")
    model = NGramModel.load(tmp_path / "chars.ctclm")
    decode = DecodeLogits(BeamDecoder(Vocabulary.from_characters("ab"), language_model=model), spans=True)

    def texts(batches):
        for batch in batches:
            yield pandas.DataFrame(decode(batch))

    paths = pandas.DataFrame({"path": [str(tmp_path / f"{n:02}.npy") for n in range(30)]})
    found = spark.createDataFrame(paths).repartition(4).mapInPandas(texts, SCHEMA).orderBy("path").collect()
    here = decode(paths)
    assert [row.text for row in found] == here["text"].tolist()
    assert [row.score for row in found if row.error is None] == here["score"][~np.isnan(here["score"])].tolist()
    assert [row.error.asDict() for row in found if row.error] == [here["error"][7]]
    assert [each.asDict() for each in found[0].tokens] == here["tokens"][0]
