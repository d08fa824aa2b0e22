// Package chicory turns an ordinary function into a task: its parameters are the task's arguments, its result is
// the task's result, and the error that it returns is the task's failure.
//
// A Go task is a program, so arguments are strings. Must not know what the function does.
package chicory

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
)

// Main runs the task with the program's arguments. A string is used as it is, anything else is parsed as JSON.
// It may return a result, an error, both, or nothing; the result is written as JSON.
func Main(task any) {
	result, err := call(reflect.ValueOf(task), os.Args[1:])
	if err == nil && result != nil {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		err = out.Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(task reflect.Value, words []string) (any, error) {
	shape := task.Type()
	if len(words) != shape.NumIn() {
		return nil, fmt.Errorf("the task takes %d arguments, and was given %d", shape.NumIn(), len(words))
	}
	var args []reflect.Value
	for i, word := range words {
		arg, err := read(word, shape.In(i))
		if err != nil {
			return nil, fmt.Errorf("args[%d]: %q is no %v: %w", i, word, shape.In(i), err)
		}
		args = append(args, arg)
	}
	var result any
	for _, out := range task.Call(args) {
		if out.Type() != reflect.TypeFor[error]() {
			result = out.Interface()
		} else if !out.IsNil() {
			return nil, out.Interface().(error)
		}
	}
	return result, nil
}

func read(word string, as reflect.Type) (reflect.Value, error) {
	value := reflect.New(as)
	if as.Kind() == reflect.String {
		value.Elem().SetString(word)
		return value.Elem(), nil
	}
	err := json.Unmarshal([]byte(word), value.Interface())
	return value.Elem(), err
}
