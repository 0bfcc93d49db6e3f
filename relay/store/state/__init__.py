"""What is known, as rows: resources, rosters, effects, lanes, holds; and who reads them."""
