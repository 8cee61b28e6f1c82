"""What every room uses: settings, the grid, the calendar, findings, wording."""
