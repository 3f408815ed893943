"""The machine that carries out a plan. It knows no rows and no API."""
