// GraphiQL with the README's queries in its tabs. Queries go by POST, subscriptions by graphql-transport-ws.
const address = window.location.origin + window.location.pathname;

// What GraphiQL keeps in the browser, without headers, for they hold credentials: its history would keep them.
const withoutHeaders = (text) => JSON.stringify(JSON.parse(text, (key, value) => (key === "headers" ? undefined : value)));
const storage = new Proxy(window.localStorage, {
  get(kept, name) {
    if (name === "setItem") {
      return (key, value) => kept.setItem(key, /:(queries|favorites)$/.test(key) ? withoutHeaders(value) : value);
    }
    return typeof kept[name] === "function" ? kept[name].bind(kept) : kept[name];
  },
});

if (window.GraphiQL) {
  const explorer = window.GraphiQLPluginExplorer.explorerPlugin();
  const page = React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: address, subscriptionUrl: address.replace(/^http/, "ws") }),
    plugins: [explorer],
    defaultTabs: JSON.parse(document.getElementById("tabs").textContent),
    defaultEditorToolsVisibility: "variables",
    inputValueDeprecation: true,
    shouldPersistHeaders: false,
    storage,
  });
  ReactDOM.createRoot(document.getElementById("graphiql")).render(page);
} else {
  document.getElementById("loading").textContent =
    "GraphiQL could not be loaded. With Node.js installed, `make graphiql` fetches it to be served from here.";
}
