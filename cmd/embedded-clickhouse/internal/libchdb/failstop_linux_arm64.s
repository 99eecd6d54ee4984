#include "textflag.h"

DATA ·failStopWriteAddress(SB)/8, $·failStopWrite(SB)
GLOBL ·failStopWriteAddress(SB), NOPTR, $8

// ssize_t failStopWrite(int fd, const void *data, size_t size)
//
// As for amd64. R27 must not be touched, which the assembler uses for loads by name.
TEXT ·failStopWrite(SB), NOSPLIT|NOFRAME, $0-0
	CMPW $2, R0
	BLE  libc
	MOVD R0, R9
	MOVD $64, R8 // write
	SVC
	CMN  $4095, R0
	BCS  failed
	RET

failed:
	CMN  $4, R0 // EINTR
	BEQ  again
	CMN  $11, R0 // EAGAIN
	BEQ  again
	CMN  $14, R0 // EFAULT
	BEQ  again
	CMN  $32, R0 // EPIPE
	BEQ  again
	MOVD $100, R1 // embedded.WriteFailed
	SUB  R0, R1, R0
	MOVD $94, R8 // exit_group
	SVC
	BRK

again:
	MOVD R9, R0

libc:
	MOVD $·libcWrite(SB), R10
	MOVD (R10), R10
	JMP  (R10)
