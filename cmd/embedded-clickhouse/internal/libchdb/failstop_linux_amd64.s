#include "textflag.h"

DATA ·failStopWriteAddress(SB)/8, $·failStopWrite(SB)
GLOBL ·failStopWriteAddress(SB), NOPTR, $8

// ssize_t failStopWrite(int fd, const void *data, size_t size)
//
// Standard streams, and errors of what is no file (a pipe that is full or closed, a look whether memory can be read) and
// of a signal, are left to the C library, which makes the call again and sets errno.
TEXT ·failStopWrite(SB), NOSPLIT|NOFRAME, $0-0
	CMPL DI, $2
	JLE  libc
	MOVL $1, AX // write
	SYSCALL
	CMPQ AX, $-4095
	JCC  failed
	RET

failed:
	CMPQ AX, $-4 // EINTR
	JEQ  libc
	CMPQ AX, $-11 // EAGAIN
	JEQ  libc
	CMPQ AX, $-14 // EFAULT
	JEQ  libc
	CMPQ AX, $-32 // EPIPE
	JEQ  libc
	MOVL $100, DI // embedded.WriteFailed
	SUBL AX, DI
	MOVL $231, AX // exit_group
	SYSCALL
	INT  $3

libc:
	MOVQ ·libcWrite(SB), AX
	JMP  AX
