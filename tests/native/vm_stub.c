/* vm_stub.c: the process that a sequence of memory calls is tried on: it has nothing but four
 * instructions. Whoever traces it chooses where it goes on and with which registers; no library, no
 * stack, no variable of its own gets in the way of what is measured. The padding makes it as long
 * as a small program, so that its heap begins where theirs does.
 */
__asm__(".globl _start, stub_syscall, stub_load, stub_store\n"
        "_start:       int3\n"
        "stub_syscall: syscall\n"
        "              int3\n"
        "stub_load:    movzbl (%rdi), %eax\n"
        "              int3\n"
        "stub_store:   movb %sil, (%rdi)\n"
        "              int3\n"
        "              .space 7 * 4096 - 12\n");
