"""Fixtures of the chaos tests."""

from pathlib import Path

import pytest

from tests.chaos.harness import Content, Lab, content, interlinked
from tests.site import Site


@pytest.fixture
def lab(tmp_path: Path, site: Site) -> Lab:
    """A site of 150 pages and what else a crawl meets, and a folder to crawl it into."""
    interlinked(site)
    return Lab(tmp_path, site)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """What an uninterrupted crawl of such a site comes to."""
    site = Site()
    interlinked(site)
    lab = Lab(tmp_path_factory.mktemp("undisturbed"), site)
    lab.finish()
    site.close()
    return content(lab.db)
