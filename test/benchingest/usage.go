package main

import (
	"syscall"
	"time"
)

// usage is the processor time of those who take part.
type usage struct{ server, engine, load time.Duration }

// usage returns what each has used so far.
func (s server) usage() (u usage, err error) {
	if u.server, err = s.process.CPU(); err != nil {
		return u, err
	}
	if s.engine != nil {
		if u.engine, err = s.engine.CPU(); err != nil {
			return u, err
		}
	}
	var self syscall.Rusage
	err = syscall.Getrusage(syscall.RUSAGE_SELF, &self)
	u.load = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	return u, err
}

// since is what was used after before, for 1,000 of so many requests.
func (u usage) since(before usage, requests int) usage {
	each := func(used time.Duration) time.Duration { return used * 1000 / time.Duration(requests) }
	return usage{each(u.server - before.server), each(u.engine - before.engine), each(u.load - before.load)}
}
