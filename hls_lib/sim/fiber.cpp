// Stacks from mmap, and the context switch.
#include "fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace stb {
namespace sim {
namespace {

constexpr std::size_t kStackBytes = std::size_t{16} << 20;
constexpr std::size_t kGuardBytes = 4096;

}  // namespace

Stack::Stack() {
  void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, kGuardBytes, PROT_NONE);
  bottom_ = static_cast<unsigned char*>(memory);
}

Stack::~Stack() { munmap(bottom_, kStackBytes); }

std::size_t Stack::size() const { return kStackBytes; }

#ifdef STB_PORTABLE_FIBERS

namespace {

// makecontext passes ints only, so the two pointers travel in halves.
void enter(unsigned entry_high, unsigned entry_low, unsigned argument_high, unsigned argument_low) {
  const auto join = [](unsigned high, unsigned low) {
    return static_cast<std::uintptr_t>((static_cast<std::uint64_t>(high) << 32) | low);
  };
  reinterpret_cast<Fiber::Entry>(join(entry_high, entry_low))(
      reinterpret_cast<void*>(join(argument_high, argument_low)));
}

}  // namespace

void Fiber::prepare(const Stack& stack, Entry entry, void* argument) {
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack.bottom();
  context_.uc_stack.ss_size = stack.size();
  context_.uc_link = nullptr;
  const auto code = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(entry));
  const auto data = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(argument));
  makecontext(&context_, reinterpret_cast<void (*)()>(enter), 4, static_cast<unsigned>(code >> 32),
              static_cast<unsigned>(code), static_cast<unsigned>(data >> 32), static_cast<unsigned>(data));
}

void Fiber::change(Fiber& from, Fiber& to) { swapcontext(&from.context_, &to.context_); }

#else

extern "C" {
void stb_fiber_change(void** save, void* load) __attribute__((visibility("hidden")));
void stb_fiber_enter() __attribute__((visibility("hidden")));
}

// Saves what the System V ABI lets a callee keep; the caller has already saved the rest.
asm(R"(
.text
.p2align 4
.hidden stb_fiber_change
.globl stb_fiber_change
.type stb_fiber_change, @function
stb_fiber_change:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size stb_fiber_change, .-stb_fiber_change
.hidden stb_fiber_enter
.globl stb_fiber_enter
.type stb_fiber_enter, @function
stb_fiber_enter:
  movq %r12, %rdi
  callq *%r13
  ud2
.size stb_fiber_enter, .-stb_fiber_enter
)");

void Fiber::prepare(const Stack& stack, Entry entry, void* argument) {
  // From the top: alignment, the return address of the switch, then rbp rbx r12 r13 r14 r15.
  void** top = reinterpret_cast<void**>(stack.bottom() + stack.size() - 64);
  top[-1] = reinterpret_cast<void*>(stb_fiber_enter);
  top[-2] = nullptr;
  top[-3] = nullptr;
  top[-4] = argument;
  top[-5] = reinterpret_cast<void*>(entry);
  top[-6] = nullptr;
  top[-7] = nullptr;
  stack_pointer_ = top - 7;
}

void Fiber::change(Fiber& from, Fiber& to) { stb_fiber_change(&from.stack_pointer_, to.stack_pointer_); }

#endif

}  // namespace sim
}  // namespace stb
