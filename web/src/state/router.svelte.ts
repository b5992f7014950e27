// The address bar as state, and moving on without loading the page again.
export type Route =
  | { name: "home" }
  | { name: "space"; id: string }
  | { name: "join"; id: string }
  | { name: "schedule" }
  | { name: "unknown" };

const SPACE = /^\/s\/([a-zA-Z0-9]{1,13})(\/join)?$/;

/** The screen of a path. */
export function routeOf(path: string): Route {
  const plain = path.length > 1 ? path.replace(/\/+$/, "") : path;
  if (plain === "" || plain === "/") return { name: "home" };
  if (plain === "/schedule") return { name: "schedule" };
  const space = SPACE.exec(plain);
  if (space?.[1]) return { name: space[2] ? "join" : "space", id: space[1] };
  return { name: "unknown" };
}

class Router {
  route: Route = $state(routeOf(location.pathname));

  constructor() {
    addEventListener("popstate", () => (this.route = routeOf(location.pathname)));
    document.addEventListener("click", (event) => this.#follow(event));
  }

  /** Go to a path of this page. `replace`: Back skips where we are now. */
  go(path: string, how: "push" | "replace" = "push"): void {
    if (how === "push") history.pushState(null, "", path);
    else history.replaceState(null, "", path);
    this.route = routeOf(location.pathname);
    if (how === "push") scrollTo(0, 0);
  }

  /** Plain clicks on links of this page stay in it; anything else is the browser's. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link?.href || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (routeOf(link.pathname).name === "unknown") return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    this.go(link.pathname + link.search + link.hash);
  }
}

export const router = new Router();
