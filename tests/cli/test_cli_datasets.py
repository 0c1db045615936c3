import csv
import io
import json

from bayesgmm import load_dataset
from bayesgmm.datasets.load import dataset_names


def test_the_list_has_sizes_and_sources(bayesgmm_command):
    result = bayesgmm_command("datasets")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for name in dataset_names():
        data = load_dataset(name)
        assert f"{name}: {len(data.X)} rows" in text
        assert data.source[:60] in text
    assert "setosa, versicolor, virginica" in text
    described = json.loads(bayesgmm_command("datasets", "--json").stdout)
    assert [each["name"] for each in described] == list(dataset_names())


def test_one_data_set_as_csv(bayesgmm_command):
    iris = load_dataset("iris")
    header, *rows = csv.reader(io.StringIO(bayesgmm_command("datasets", "iris").stdout))
    assert tuple(header[:4]) == iris.feature_names
    assert [[float(cell) for cell in row[:4]] for row in rows] == iris.X.tolist()
    assert [row[4] for row in rows] == iris.labels.tolist()
    as_json = json.loads(bayesgmm_command("datasets", "galaxies", "--json").stdout)
    assert as_json["rows"] == load_dataset("galaxies").X.tolist()


def test_an_unknown_name(bayesgmm_command):
    result = bayesgmm_command("datasets", "irsi")
    assert result.exit_code == 1
    assert "Did you mean 'iris'?" in result.stderr
