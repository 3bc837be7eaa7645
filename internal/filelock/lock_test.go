package filelock

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain is also the process that holds a lock until it is killed.
func TestMain(m *testing.M) {
	path := os.Getenv("MPTGO_HOLD")
	if path == "" {
		os.Exit(m.Run())
	}
	if _, err := Take(path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	select {}
}

// TestOthers: a lock that another process holds is refused and says whose it is; that of a process that was
// killed stops nobody.
func TestOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MPTGO_HOLD="+path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatal(line, err)
	}
	_, err = Take(path)
	var held *HeldError
	if !errors.As(err, &held) || !strings.HasPrefix(held.Holder, fmt.Sprintf("process %d on ", cmd.Process.Pid)) {
		if err == nil && lockless() {
			t.Skip("no locks here")
		}
		t.Fatalf("got %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the lock is left behind")
	}
}

// lockless reports whether the system has no locks.
func lockless() bool {
	f, err := os.CreateTemp("", "lock")
	if err != nil {
		return true
	}
	defer os.Remove(f.Name())
	defer f.Close()
	g, err := os.Open(f.Name())
	if err != nil {
		return true
	}
	defer g.Close()
	return errors.Join(lockFile(f), lockFile(g)) == nil
}

// TestTurns: of many who want it, one has it at a time, and all get it.
func TestTurns(t *testing.T) {
	if lockless() {
		t.Skip("no locks here")
	}
	path := filepath.Join(t.TempDir(), "lock")
	const takers = 8
	inside := make(chan bool, 1) // holds a value while somebody has the lock
	done := make(chan error)
	for range takers {
		go func() {
			for n := 0; n < 20; {
				l, err := Take(path)
				var held *HeldError
				if errors.As(err, &held) {
					continue
				}
				if err != nil {
					done <- err
					return
				}
				select {
				case inside <- true:
				default:
					err = errors.New("two have the lock")
				}
				<-inside
				if err := errors.Join(err, l.Release()); err != nil {
					done <- err
					return
				}
				n++
			}
			done <- nil
		}()
	}
	for range takers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestFull: who cannot say who has the lock does not have it, and holds nobody up.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		if _, err := os.Stat("/dev/full"); err != nil || os.Symlink("/dev/full", path) != nil {
			t.Skip("no file that is full")
		}
		l, err := Take(path)
		var held *HeldError
		if err == nil || errors.As(err, &held) || l != nil {
			t.Errorf("%v, %v", l, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Fatal("the lock is left behind")
		}
	}
}

func TestNoFolder(t *testing.T) {
	if _, err := Take(filepath.Join(t.TempDir(), "none", "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
