"""The machinery that carries out a plan. It knows nothing about rows or APIs."""
