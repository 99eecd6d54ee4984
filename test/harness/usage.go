package harness

import (
	"time"

	"github.com/prometheus/procfs"
)

// CPU is the processor time that the process has used.
func (p *Process) CPU() (time.Duration, error) {
	proc, err := procfs.NewProc(p.command.Process.Pid)
	if err != nil {
		return 0, err
	}
	stat, err := proc.Stat()
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// RSS is the memory that the process has now, in bytes.
func (p *Process) RSS() (int64, error) {
	status, err := p.status()
	return int64(status.VmRSS), err
}

// PeakRSS is the most memory that the process ever had, in bytes.
func (p *Process) PeakRSS() (int64, error) {
	status, err := p.status()
	return int64(status.VmHWM), err
}

func (p *Process) status() (procfs.ProcStatus, error) {
	proc, err := procfs.NewProc(p.command.Process.Pid)
	if err != nil {
		return procfs.ProcStatus{}, err
	}
	return proc.NewStatus()
}
