package people

// Dice is a splitmix64 generator: fast, and its results follow from the seed alone.
type Dice uint64

// Throw returns the dice of a number in a stream of a seed. Dice of other numbers, streams and seeds fall differently.
func Throw(seed, stream, number uint64) Dice {
	d := Dice(seed ^ stream<<56)
	return Dice(d.Next() ^ number*0x9e3779b97f4a7c15)
}

// Next returns 64 bits.
func (d *Dice) Next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// UpTo returns a number below n.
func (d *Dice) UpTo(n int) int { return int(d.Next() % uint64(n)) }

// Percent is true in so many of a hundred throws.
func (d *Dice) Percent(n int) bool { return d.UpTo(100) < n }

// Early returns a number below n, low ones far more often.
func (d *Dice) Early(n int) int { return d.UpTo(d.UpTo(n) + 1) }
