Console.WriteLine("Qaic.ML");
