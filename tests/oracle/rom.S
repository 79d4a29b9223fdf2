# rom.S: a ROM that makes one memory access after the other in 64-bit mode and notes what came of it.
#
# An emulator runs it from its reset vector. Everything else lies ready in RAM, put there by
# oracle.py: descriptor tables, page tables, and a list of accesses with their registers. The ROM
# and its RAM are mapped by entry 511 of every root table, and once more for CPL 3 by entry 510, so
# that it goes on running whatever tables an access asks for.
#
#   RAM        0x08000 GDT, TSS   0x07000 IDT   below 0x0f000 stack   0x10000 the header
#   virtual    0xffffffff80000000 + physical: the first GiB of RAM
#              0xffffffffffff0000: the ROM itself
#
# Header, 8 bytes each: the CR4 to start with, CR3, number of cases, where they stand, where CPL 3
# sees physical 3 GiB. A case is 128 bytes:
#
#    0 cr3   8 cr0   16 cr4   24 efer   32 pkru.4  cpl.1  ac.1  0.1  kind.1   40 va   48 value
#   64 vector   72 error code   80 cr2   88 rax
#
# kind: 0 to 3 read 1, 2, 4, 8 bytes; 4 to 7 write; 8 jump there. An access that succeeds ends in
# vector 0x20, a jump in the vector of the INT instruction that it finds.

    .text
    .set WINDOW, 0xffffffff80000000
    .set HEADER, 0x10000

# ---- 0x0000: the 256 handlers, 16 bytes each; some vectors come with an error code ----

    .code64
rom:
    .set vector, 0
    .rept 256
    .balign 16
    .ifeq (vector - 8) * (vector - 10) * (vector - 11) * (vector - 12) * (vector - 13) * (vector - 14) * (vector - 17)
    .else
    push $0
    .endif
    .byte 0x68 # push imm32
    .long vector
    jmp note
    .set vector, vector + 1
    .endr

# ---- 0x1000: the accesses, 16 bytes each, run at CPL 0 and 3 ----

    .org 0x1000
    .macro access instruction:vararg
    .balign 16
    \instruction
    int $0x20
    .endm
    access movzbl (%rdi), %eax
    access movzwl (%rdi), %eax
    access mov (%rdi), %eax
    access mov (%rdi), %rax
    access mov %sil, (%rdi)
    access mov %si, (%rdi)
    access mov %esi, (%rdi)
    access mov %rsi, (%rdi)
    access jmp *%rdi

# ---- one case after the other; rbx: the case, rbp: how many are left ----

    .balign 16
note:
    pop 64(%rbx)
    pop 72(%rbx)
    mov %cr2, %rdx
    mov %rdx, 80(%rbx)
    mov %rax, 88(%rbx)
next:
    mov $WINDOW + 0xf000, %rsp
    add $128, %rbx
    dec %rbp
    js done

    mov $0xc0000080, %ecx
    mov 24(%rbx), %eax
    xor %edx, %edx
    wrmsr
    mov 8(%rbx), %rax
    mov %rax, %cr0
    mov 16(%rbx), %rax
    mov %rax, %cr4
    mov (%rbx), %rcx
    mov %rcx, %cr3
    btc $7, %rax # PGE there and back: nothing stays in the TLB
    mov %rax, %cr4
    btc $7, %rax
    mov %rax, %cr4
    bt $22, %rax
    jnc 1f
    xor %ecx, %ecx
    xor %edx, %edx
    mov 32(%rbx), %eax
    wrpkru
1:  xor %eax, %eax
    mov %rax, %cr2
    mov 40(%rbx), %rdi
    mov 48(%rbx), %rsi
    movzbl 39(%rbx), %ecx
    shl $4, %ecx
    add $0x1000, %ecx
    movzbl 37(%rbx), %edx
    shl $18, %edx # AC
    or $2, %edx
    cmpb $0, 36(%rbx)
    jne user

    lea rom(%rip), %r8
    add %r8, %rcx
    push %rdx
    popf
    jmp *%rcx
user:
    add WINDOW + HEADER + 32, %rcx
    add $0x3fff0000, %rcx # the ROM stands so far above 3 GiB
    push $0x2b
    push $0
    push %rdx
    push $0x33
    push %rcx
    iretq

done:
    mov $0xf4, %dx # isa-debug-exit: ends with status 2 * 21 + 1
    mov $21, %eax
    out %al, %dx
1:  hlt
    jmp 1b

# ---- the start: real mode, then 32 bits, then 64 ----

    .code16
start16:
    cli
    lgdtl %cs:(gdtr32 - rom)
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $0x08, $start32

    .code32
start32:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov HEADER, %eax
    mov %eax, %cr4
    mov HEADER + 8, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    mov $0x100, %eax
    xor %edx, %edx
    wrmsr
    mov $0x80000011, %eax
    mov %eax, %cr0
    ljmpl $0x18, $start64

    .code64
start64:
    lea high(%rip), %rax
    mov $0xffffffff00000000, %rcx
    or %rcx, %rax
    jmp *%rax
high:
    lgdt gdtr64(%rip)
    lidt idtr64(%rip)
    mov $0x38, %eax
    ltr %ax
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov WINDOW + HEADER + 16, %rbp
    mov WINDOW + HEADER + 24, %rbx
    mov $WINDOW - 128, %rax
    add %rax, %rbx
    jmp next

    .balign 8
gdtr32:
    .word 0x4f
    .long 0x8000
gdtr64:
    .word 0x4f
    .quad WINDOW + 0x8000
idtr64:
    .word 0xfff
    .quad WINDOW + 0x7000

# ---- the reset vector ----

    .org 0xfff0
    .code16
    jmp start16
    .org 0x10000
