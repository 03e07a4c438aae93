// Package child runs a command so that it cannot outlive the right to run.
//
// The command and what it starts form a process group of their own. [Run]
// passes signals and, where there is one, the terminal on to it, ends the whole
// group when a context ends (politely first, by force soon after), and reports
// how the command ended.
//
// On unix the group is led by a guard: this program once more, started by
// [NewGuard], in which main calls [GuardMain]. The guard holds the reading end
// of a pipe. It kills the group, itself included,
//
//   - when the pipe ends, because this process died, by kill -9 for instance;
//   - when the deadline it was last told passes, because this process is
//     stopped or starved and so cannot say that all is well.
//
// The guard is there before the command, so there is no moment without it, and
// as long as it is there nobody else can get the group's number. Linux also
// kills the command itself when this process dies, which covers a guard that
// dies at the same time.
//
// Out of reach are processes that leave the group: daemons that call setsid,
// and the jobs of an interactive shell.
//
// On Windows there is no guard: this process and all that it starts are in one
// job object, which the system ends when this process is gone. A process that
// is merely suspended holds it open, so no deadline is kept there.
package child
