// A part of the page that fails takes nothing else with it.
import { Component } from 'preact';

// Guard shows its children, or what `instead` makes of an error of theirs.
export class Guard extends Component {
  static getDerivedStateFromError(error) {
    return { error };
  }

  render({ children, instead }, { error }) {
    return error ? instead(error) : children;
  }
}
