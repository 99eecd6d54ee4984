package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// Rights of Landlock on files (see the kernel's Documentation/userspace-api/landlock.rst).
const (
	readRights  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	fileRights1 = unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1 // all of the first version
	// ownRights are those on the data: everything but to execute files and to make devices, sockets and pipes.
	ownRights = readRights | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
)

// systemFiles are the other files that the engine and the C library read: shared libraries, time zones, the machine's
// processors and this process's memory limit. None of them is secret. /proc/self as a whole is: it contains the
// environment, and so the passwords.
var systemFiles = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/localtime",
	"/usr/share/zoneinfo", "/sys/devices/system", "/sys/fs/cgroup", "/proc/self/cgroup", "/dev/urandom"}

// restrictFiles removes every right on files, TCP ports, abstract sockets and signals to other processes from the
// calling thread, and so from the program that replaces it by exec. It leaves these: to use the files in can, to read
// the system's files, and to execute this program and its loader. Kernels before 6.7 do not restrict ports, before 6.12
// not sockets and signals.
//
// It confines one thread only: a Go program that loads C libraries cannot confine all its threads, and these kernels
// cannot either. The caller must have locked the thread, and must exec next.
func restrictFiles(abi int, can reach, program string) (err error) {
	rules := unix.LandlockRulesetAttr{Handled_access_fs: fileRights1}
	size := unsafe.Sizeof(rules.Handled_access_fs)
	if abi >= 2 {
		rules.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		rules.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		rules.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size += unsafe.Sizeof(rules.Handled_access_net)
	}
	if abi >= 5 {
		rules.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		rules.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
		size += unsafe.Sizeof(rules.Scoped)
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), size, 0)
	if errno != 0 {
		return fmt.Errorf("create Landlock rules: %w", errno)
	}
	defer unix.Close(int(set))
	allow := func(path string, rights uint64) {
		if err == nil {
			err = allowPath(int(set), path, rights&rules.Handled_access_fs)
		}
	}
	allow(can.data, ownRights)
	allow(can.library, readRights)
	if can.removeIn != "" {
		allow(can.removeIn, unix.LANDLOCK_ACCESS_FS_REMOVE_DIR)
	}
	allow("/dev/null", readRights|unix.LANDLOCK_ACCESS_FS_WRITE_FILE)
	for _, path := range systemFiles {
		allow(path, readRights)
	}
	for _, path := range append(loaders, program) {
		allow(path, readRights|unix.LANDLOCK_ACCESS_FS_EXECUTE)
	}
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return fmt.Errorf("put the Landlock rules in force: %w", errno)
	}
	return nil
}

// loaders are the programs that the kernel starts to load a dynamically linked one.
var loaders = []string{"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}

// allowPath allows rights on a file, or on everything below a directory. A missing path needs no rule.
func allowPath(set int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s for the Landlock rules: %w", path, err)
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("look at %s for the Landlock rules: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR { // other rights exist only on directories
		rights &= unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
			unix.LANDLOCK_ACCESS_FS_EXECUTE |
			unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("allow %s by a Landlock rule: %w", path, errno)
	}
	return nil
}

// forbidden are the system calls that the process no longer needs when it listens: they start programs, open sockets,
// inspect other processes, and change the system.
var forbidden = []string{"execve", "execveat", "socket", "socketpair", "connect", "bind", "listen", "ptrace",
	"process_vm_readv", "process_vm_writev", "pidfd_getfd", "io_uring_setup", "bpf", "perf_event_open", "userfaultfd",
	"mount", "umount2", "move_mount", "fsopen", "open_tree", "pivot_root", "chroot", "unshare", "setns", "add_key",
	"request_key", "keyctl", "init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon",
	"swapoff", "settimeofday", "clock_settime", "sethostname"}

// forbidCalls makes those calls fail in all present and future threads of the process.
func forbidCalls() error {
	err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls:      []seccomp.SyscallGroup{{Names: forbidden, Action: seccomp.ActionErrno}},
	}})
	if err != nil {
		return fmt.Errorf("forbid system calls: %w", err)
	}
	return nil
}

// becomeConfined starts this program again in the same process, under restrictFiles. The new run inherits the files. It
// returns only if that fails: with an error, or with the feature that this system lacks.
func becomeConfined(can reach, inherit []*os.File, env []string) (lacks string, err error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return "Landlock, which Linux has from 5.13 on", nil
	}
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	for _, f := range inherit {
		if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
			return "", fmt.Errorf("hand %s over: %w", f.Name(), err)
		}
	}
	runtime.LockOSThread()
	if err := restrictFiles(int(abi), can, program); err != nil {
		return "", err
	}
	return "", fmt.Errorf("start %s again, confined: %w", program, unix.Exec(program, os.Args, env))
}
