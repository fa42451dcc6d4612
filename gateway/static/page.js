// GraphiQL with the README's queries in its tabs. Queries go by POST, subscriptions by graphql-transport-ws.
const address = window.location.origin + window.location.pathname;

if (window.GraphiQL) {
  const explorer = window.GraphiQLPluginExplorer.explorerPlugin();
  const page = React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: address, subscriptionUrl: address.replace(/^http/, "ws") }),
    plugins: [explorer],
    defaultTabs: JSON.parse(document.getElementById("tabs").textContent),
    defaultEditorToolsVisibility: "variables",
    inputValueDeprecation: true,
    shouldPersistHeaders: false, // they hold credentials, which do not belong into a browser's storage
  });
  ReactDOM.createRoot(document.getElementById("graphiql")).render(page);
} else {
  document.getElementById("loading").textContent =
    "GraphiQL could not be loaded. With Node.js installed, `make graphiql` fetches it to be served from here.";
}
