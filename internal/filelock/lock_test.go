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
	return errors.Join(LockFile(f), LockFile(g)) == nil
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

// TestFiles: a file that is open and locked is not locked once more by another that has it open, until it is
// closed.
func TestFiles(t *testing.T) {
	if lockless() {
		t.Skip("no locks here")
	}
	for _, lock := range []func(*os.File) error{LockFile, LockFirstByte} {
		path := filepath.Join(t.TempDir(), "file")
		f := open(t, path)
		if err := lock(f); err != nil {
			t.Fatal(err)
		}
		if err := lock(open(t, path)); !errors.Is(err, ErrLocked) {
			t.Errorf("a second lock: %v", err)
		}
		f.Close()
		if err := lock(open(t, path)); err != nil {
			t.Errorf("after the first has ended: %v", err)
		}
	}
}

// TestReadable: LockFile leaves the content of a file to all.
func TestReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f := open(t, path)
	if err := LockFile(f); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestNamed(t *testing.T) {
	dir := t.TempDir()
	f := open(t, filepath.Join(dir, "file"))
	open(t, filepath.Join(dir, "other"))
	for name, want := range map[string]bool{"file": true, "other": false, "none": false} {
		if Named(f, filepath.Join(dir, name)) != want {
			t.Errorf("%s is not %v", name, want)
		}
	}
}

// open opens a file, which is made if it is not there, until the test ends.
func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestNoFolder(t *testing.T) {
	if _, err := Take(filepath.Join(t.TempDir(), "none", "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
