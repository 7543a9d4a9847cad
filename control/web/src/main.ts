// The panel begins.
import { mount } from "svelte";
import App from "./App.svelte";
import { choose, theme } from "./lib/theme.svelte";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/table.css";

choose(theme());
const target = document.getElementById("app");
if (target) mount(App, { target });
