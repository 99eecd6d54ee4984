package api

import "time"

// LocalTimes returns the first and the last moment at which clocks in a zone show the date and time of wall, whose own
// zone is ignored. The two differ when clocks show an hour twice because they are set back. For a time that clocks
// skip, both are the moment at which they are set ahead.
func LocalTimes(wall time.Time, zone *time.Location) (first, last time.Time) {
	wall = time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(),
		wall.Nanosecond(), time.UTC)
	shown := wall.Format(time.DateTime)
	var found []time.Time
	for _, day := range []int{-1, 1} { // clocks are set at most once in two days
		_, offset := wall.AddDate(0, 0, day).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if at.Format(time.DateTime) == shown {
			found = append(found, at)
		} else if day == -1 {
			first, _ = at.ZoneBounds() // the old offset leads to a moment after the skipped hour
		}
	}
	switch len(found) {
	case 0:
		return first, first
	case 1:
		return found[0], found[0]
	}
	if found[1].Before(found[0]) {
		found[0], found[1] = found[1], found[0]
	}
	return found[0], found[1]
}
