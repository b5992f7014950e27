// How high the bar at the bottom is, as `--dock`, for what floats above it.
const root = document.documentElement;

/** For `{@attach}` on the bar. `more` pixels are added, where something else stands on it. */
export function dock(more = 0): (bar: HTMLElement) => () => void {
  return (bar) => {
    const watch = new ResizeObserver(() => root.style.setProperty("--dock", `${bar.offsetHeight + (bar.offsetHeight ? more : 0)}px`));
    watch.observe(bar);
    return () => {
      watch.disconnect();
      root.style.removeProperty("--dock");
    };
  };
}
