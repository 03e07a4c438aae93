package child

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// GuardArg is the argument with which this program is a guard elsewhere.
const GuardArg = "__guard"

// GuardMain is not used on Windows.
func GuardMain() int { return 2 }

// A Guard is the job object that this process is in, with all that it starts.
type Guard struct{}

// job is the one of this process. Its handle stays open until the process ends,
// and then the system ends whatever else is in it.
var job = sync.OnceValues(func() (windows.Handle, error) {
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, err
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if _, err := windows.SetInformationJobObject(h, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		return 0, err
	}
	return h, windows.AssignProcessToJobObject(h, windows.CurrentProcess())
})

// NewGuard puts this process into a job object.
func NewGuard() (*Guard, error) {
	if _, err := job(); err != nil {
		return nil, errors.New("create a job object: " + err.Error())
	}
	return &Guard{}, nil
}

// Renew does nothing: the job serves any number of commands.
func (g *Guard) Renew() error { return nil }

// Close does nothing: the job lasts as long as the process.
func (g *Guard) Close() error { return nil }

type process struct {
	proc   *os.Process
	events chan event
}

func (g *Guard) start(c Command) (*process, error) {
	proc, err := os.StartProcess(c.Path, c.Args, &os.ProcAttr{
		Env:   c.Env,
		Files: c.files(),
		Sys:   &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP},
	})
	if err != nil {
		return nil, err
	}
	p := &process{proc: proc, events: make(chan event, 1)}
	go func() { // ends with its only event
		state, err := proc.Wait()
		e := event{kind: exited, exit: Exit{Code: 1}}
		if err == nil {
			e.exit.Code = state.ExitCode()
		}
		p.events <- e
	}()
	return p, nil
}

// pass hands an interrupt on as Ctrl-Break, the only one a group can be sent.
func (p *process) pass(os.Signal) { p.terminate() }

func (p *process) terminate() {
	_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.proc.Pid))
}

// kill ends the command; what it started ends with this process, which is soon.
func (p *process) kill() { _ = p.proc.Kill() }

func (p *process) arm(time.Duration)  {}
func (p *process) suspend(event) bool { return false }
func (p *process) proceed()           {}
func (p *process) dismiss() bool      { return true }
func (p *process) gone() bool         { return true }

// clock is of no use here: there is no guard to tell a deadline.
func clock() time.Duration { return 0 }

var ending = []os.Signal{os.Interrupt, syscall.SIGTERM}

// Catch begins to catch the signals that are passed on to a command.
func Catch() *Signals {
	s := &Signals{ch: make(chan os.Signal, 16)}
	signal.Notify(s.ch, ending...)
	return s
}

// Code is the exit code of a program that a signal ended.
func Code(s os.Signal) int {
	if sig, ok := s.(syscall.Signal); ok {
		return 128 + int(sig)
	}
	return 1
}

// Name is what people call the signal.
func Name(s os.Signal) string { return s.String() }
